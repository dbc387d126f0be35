//! The log of an experiment, cut into windows.

use std::path::Path;
use std::sync::Arc;

use burnrec_data::windows::{Cut, Length, Spooled, Stretch};
use burnrec_data::{DataConfig, time_text};
use burnrec_train::{Checked, ScheduleConfig, TrainError};

/// A log in the order of its event time.
pub struct Log {
    /// Its rows.
    pub rows: Arc<Spooled>,
    /// How it is kept fresh over.
    pub schedule: ScheduleConfig,
}

/// Reads a log once, and cuts it as the experiment says.
///
/// # Errors
/// An experiment without a schedule, unreadable rows, rows without a time or with one ahead of the clock.
pub fn open(checked: &Checked, path: &Path, data: &DataConfig) -> Result<Log, TrainError> {
    let schedule = checked.experiment().schedule.clone().ok_or_else(|| TrainError::Setting {
        key: "schedule".into(),
        problem: "is missing: say in [schedule] which column is the event time, and add [schedule.incremental] or another way to go on".into(),
    })?;
    let source = burnrec_data::open(path, data)?;
    let schema = checked.schema();
    schema.check_columns(&*source, true)?;
    let rows = Spooled::new(source, &schedule.time, &schema.columns(true), &Cut::new(schedule.window))?;
    if !rows.is_ordered() && data.sort_by.as_ref() != Some(&schedule.time) {
        tracing::info!(
            "{}: rows are not in the order of `{}`; each is learned from in the window of its own time",
            path.display(),
            schedule.time
        );
    }
    Ok(Log { rows: Arc::new(rows), schedule })
}

impl Log {
    /// The stretches of another length that have rows from a moment on; the first of them may begin before it.
    ///
    /// # Errors
    /// Rows that cannot be read again.
    pub fn cut(&self, length: Length, from: i64) -> Result<Vec<Stretch>, TrainError> {
        Ok(self.rows.cut(length, from)?)
    }

    /// Its windows.
    pub fn windows(&self) -> &[Stretch] {
        self.rows.windows()
    }
}

/// `1998-01-03 to 1998-01-04`, with the time of day where there is one.
pub(crate) fn stretch_text(from: i64, to: i64) -> String {
    let text = |moment: i64| time_text(moment).trim_end_matches('Z').trim_end_matches("T00:00:00").to_string();
    format!("{} to {}", text(from), text(to))
}
