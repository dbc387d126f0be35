//! Fields that stand for columns of the data, spelled out.

use std::collections::BTreeSet;

use burnrec_data::SplitConfig;

use super::Experiment;
use crate::error::TrainError;

impl Experiment {
    /// With a field for each column that names such as `C*` stand for. Labels, weights and times that rows are ordered or divided by
    /// are columns of their own use.
    ///
    /// # Errors
    /// Names that no column is like, or that meet in one.
    pub fn among(mut self, columns: &[&str]) -> Result<Self, TrainError> {
        let tasks = self.tasks.0.iter().flat_map(|(_, task)| task.row_weight.iter().chain([&task.label.column]));
        let time = match &self.data.split {
            SplitConfig::Time { column, .. } | SplitConfig::Day { column, .. } => Some(column),
            SplitConfig::UserLast { time, .. } | SplitConfig::LeaveOneOut { time, .. } => Some(time),
            _ => None,
        };
        let times = self.data.sort_by.iter().chain(time).chain(self.data.history.iter().map(|history| &history.time));
        let items = self.features.items.iter().filter_map(|items| items.time.as_ref());
        let times = times.chain(self.schedule.iter().map(|schedule| &schedule.time)).chain(items);
        let aside: BTreeSet<&str> = tasks.chain(times).map(String::as_str).collect();
        self.features = self.features.among(columns, &aside)?;
        Ok(self)
    }
}
