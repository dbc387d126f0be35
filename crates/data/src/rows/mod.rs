//! Rows as an experiment asks for them: side tables joined, sorted by time, with what users did before.

mod by_index;
mod explode;
mod history;
mod join;
mod sort;
mod widen;

use std::path::Path;
use std::sync::Arc;

use crate::config::{DataConfig, FormatKind};
use crate::error::DataError;
use crate::formats::{Reads, kind_at, open_path};
use crate::source::Source;
use by_index::ByIndex;
use explode::Exploded;
use history::Historied;
use join::Joined;
pub(crate) use sort::Sorted;
use widen::Widened;

/// Opens the rows of an experiment at `path`: the file, its side tables, and the sort.
///
/// # Errors
/// Whatever [`open_path`] refuses, in the main file or a side table, and unknown join or sort columns.
pub fn open(path: &Path, config: &DataConfig) -> Result<Arc<dyn Source>, DataError> {
    stack(open_path(path, &Reads::from(config))?, config, false)
}

/// Opens rows that are asked about: there may be none, and keys that no line of JSON has are missing on all of them.
///
/// # Errors
/// As [`open`], and columns that another format lacks.
pub fn open_to_score(path: &Path, config: &DataConfig, keys: &[String]) -> Result<Arc<dyn Source>, DataError> {
    let mut source = open_path(path, &Reads { may_be_empty: true, ..Reads::from(config) })?;
    let optional = config.format.or_else(|| kind_at(path)) == Some(FormatKind::Jsonl);
    let own = config.sort_by.iter().chain(config.explode.iter().map(|e| &e.column));
    let own = own.chain(config.history.iter().flat_map(|h| [&h.user, &h.time].into_iter().chain(h.columns.values())));
    let mut keys = keys.to_vec();
    if source.columns().is_empty() {
        keys.extend(own.cloned());
    }
    keys.dedup();
    let made = |name: &String| {
        config
            .fields_by_index
            .keys()
            .any(|own| name.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest == by_index::VALUES))
    };
    let brought = |name: &String| made(name) || config.history.iter().any(|h| h.columns.contains_key(name));
    let absent = |name: &&String| source.column(name).is_err() && !brought(name);
    let absent: Vec<String> = keys.iter().filter(absent).filter(|_| optional).cloned().collect();
    if !absent.is_empty() {
        source = Arc::new(Widened::new(source, absent));
    }
    stack(source, config, true)
}

/// A source with columns that it lacks, missing on all rows; itself where it lacks none.
pub fn with_missing(source: Arc<dyn Source>, names: &[String]) -> Arc<dyn Source> {
    let absent: Vec<String> = names.iter().filter(|name| source.column(name).is_err()).cloned().collect();
    match absent.is_empty() {
        true => source,
        false => Arc::new(Widened::new(source, absent)),
    }
}

/// Side tables, the sort and the histories over rows.
fn stack(mut source: Arc<dyn Source>, config: &DataConfig, asked: bool) -> Result<Arc<dyn Source>, DataError> {
    // Rows that were divided before, as predict writes them, are not divided again.
    let divided = |source: &dyn Source| config.fields_by_index.keys().all(|name| source.column(name).is_ok());
    let divides = !config.fields_by_index.is_empty();
    if divides && !(asked && divided(&*source)) {
        source = Arc::new(ByIndex::new(source, &config.fields_by_index)?);
    }
    if let Some(explode) = &config.explode {
        source = Arc::new(Exploded::new(source, explode)?);
    }
    for join in &config.join {
        source = Arc::new(Joined::new(source, join, asked)?);
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
