//! What the numbers of time columns count.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use arrow::array::ArrayRef;

use crate::value::{TimeUnit, Values, is_day};

/// How the time columns of a source are read, and what was found of them.
#[derive(Debug, Default)]
pub struct Clock {
    /// What whole numbers count, if it is said.
    given: Option<TimeUnit>,
    /// Columns that are folders of partitions: `20240305` is a day there.
    folders: Vec<String>,
    /// What whole numbers of each column count, as their size told.
    found: Mutex<HashMap<String, TimeUnit>>,
    /// Whether something was told of the source's rows.
    told: std::sync::atomic::AtomicBool,
}

impl Clock {
    pub(crate) fn new(given: Option<TimeUnit>, folders: Vec<String>) -> Self {
        Self { given, folders, ..Self::default() }
    }

    /// Warns of the source's rows, the first time.
    pub(crate) fn tell_once(&self, text: impl FnOnce() -> String) {
        if !self.told.swap(true, std::sync::atomic::Ordering::Relaxed) {
            tracing::warn!("{}", text());
        }
    }

    /// What whole numbers of a column count, once some of its rows were read.
    pub fn unit(&self, column: &str) -> Option<TimeUnit> {
        let found = self.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.given.or_else(|| found.get(column).copied())
    }

    /// What is known of a column before some of its rows are read.
    pub(crate) fn forced(&self, column: &str, array: &ArrayRef) -> Option<TimeUnit> {
        let days = || {
            let values = Values::of(array).ok()?;
            let all = (0..values.len()).filter_map(|row| values.text(row)).all(|text| is_day(&text));
            all.then_some(TimeUnit::Dates)
        };
        let folder = self.folders.iter().any(|f| f == column);
        folder.then(days).flatten().or(self.given)
    }

    /// Notes what the numbers of some rows count; the unit of earlier ones, where that is another.
    pub(crate) fn note(&self, column: &str, unit: TimeUnit, path: &Path) -> Result<(), TimeUnit> {
        let mut found = self.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match found.get(column) {
            Some(known) if *known != unit => Err(*known),
            Some(_) => Ok(()),
            None => {
                if !matches!(unit, TimeUnit::Seconds) {
                    tracing::info!("{}: column `{column}` counts {}", path.display(), unit.name());
                }
                found.insert(column.to_string(), unit);
                Ok(())
            }
        }
    }
}
