//! Rows as an experiment asks for them: side tables joined, sorted by time, with what users did before.

mod history;
mod join;
mod sort;

use std::path::Path;
use std::sync::Arc;

use crate::config::DataConfig;
use crate::error::DataError;
use crate::formats::open_path;
use crate::source::Source;
use history::Historied;
use join::Joined;
use sort::Sorted;

/// Opens the rows of an experiment at `path`: the file, its side tables, and the sort.
///
/// # Errors
/// Whatever [`open_path`] refuses, in the main file or a side table, and unknown join or sort columns.
pub fn open(path: &Path, config: &DataConfig) -> Result<Arc<dyn Source>, DataError> {
    let mut source = open_path(path, config.format, &config.text)?;
    for join in &config.join {
        source = Arc::new(Joined::new(source, join)?);
    }
    if let Some(column) = &config.sort_by {
        source.column(column)?;
        source = Arc::new(Sorted::new(source, column.clone()));
    }
    if let Some(history) = &config.history {
        source = Arc::new(Historied::new(source, history)?);
    }
    Ok(source)
}
