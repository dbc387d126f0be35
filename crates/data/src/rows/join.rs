//! Side tables: every row looks up one row of a small table by key, as a left outer join.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take};

use crate::clock::Clock;
use crate::config::JoinConfig;
use crate::error::DataError;
use crate::formats::open_path;
use crate::source::{Column, Location, RowStream, Source, with_columns};
use crate::value::Values;

/// A source with the columns of a side table beside its own. Keys without a match give nulls.
pub(crate) struct Joined {
    inner: Arc<dyn Source>,
    side: Arc<SideTable>,
    columns: Vec<Column>,
    /// Whether rows may all be of keys that the table lacks.
    asked: bool,
    /// Whether it was said how many rows found theirs.
    told: Arc<AtomicBool>,
}

/// A share of rows without a match above which a pass warns.
const MISSED: f64 = 0.5;

struct SideTable {
    path: PathBuf,
    on: String,
    columns: Vec<Column>,
    rows: RecordBatch,
    row_of: HashMap<String, u32>,
}

impl Joined {
    /// Reads the side table whole. Of rows that are asked about all may be new to it.
    pub(crate) fn new(inner: Arc<dyn Source>, config: &JoinConfig, asked: bool) -> Result<Self, DataError> {
        inner.column(&config.on)?;
        let side = Arc::new(SideTable::read(config)?);
        if let Some(clash) = side.columns.iter().find(|c| inner.columns().iter().any(|i| i.name == c.name)) {
            return Err(DataError::Setting {
                key: "join".into(),
                problem: format!(
                    "{}: column `{}` exists on both sides; name the columns to bring in with `columns = […]`",
                    config.source, clash.name
                ),
            });
        }
        let columns = inner.columns().iter().chain(&side.columns).cloned().collect();
        Ok(Self { inner, side, columns, asked, told: Arc::default() })
    }
}

impl SideTable {
    fn read(config: &JoinConfig) -> Result<Self, DataError> {
        let path = Path::new(&config.source);
        let source = open_path(path, &config.into())?;
        source.column(&config.on)?;
        let names = match &config.columns {
            Some(names) => names.clone(),
            None => source.columns().iter().map(|c| c.name.clone()).filter(|n| *n != config.on).collect(),
        };
        let columns = names.iter().map(|n| source.column(n).cloned()).collect::<Result<Vec<_>, _>>()?;
        let asked: Vec<String> = std::iter::once(config.on.clone()).chain(names).collect();
        let batches = source.stream(&asked)?.collect::<Result<Vec<_>, _>>()?;
        let first = batches.first().ok_or_else(|| DataError::HeaderOnly { path: path.to_path_buf() })?;
        let rows = concat_batches(&first.schema(), &batches)?;
        let keys = keys(rows.column(0), path, &config.on)?;
        let mut row_of = HashMap::with_capacity(rows.num_rows());
        for row in 0..rows.num_rows() {
            let Some(key) = keys.text(row) else { continue };
            if row_of.insert(key.to_string(), row as u32).is_some() {
                return Err(DataError::Value {
                    location: source.locate(crate::source::positions(&rows)[row]).to_string(),
                    column: config.on.clone(),
                    problem: format!("key `{key}` stands twice in this side table; keys must be unique"),
                });
            }
        }
        Ok(Self { path: path.to_path_buf(), on: config.on.clone(), columns, rows, row_of })
    }

    /// Adds the side columns, and to the counts the rows and those that found theirs.
    fn attach(
        &self,
        batch: &RecordBatch,
        wanted: &[String],
        counts: &(AtomicU64, AtomicU64),
        path: &Path,
    ) -> Result<RecordBatch, DataError> {
        let keys = keys(batch.column(batch.schema().index_of(&self.on)?), path, &self.on)?;
        let rows: UInt32Array = (0..keys.len()).map(|row| self.row_of.get(&*keys.text(row)?).copied()).collect();
        counts.0.fetch_add(rows.len() as u64, Relaxed);
        counts.1.fetch_add((rows.len() - rows.null_count()) as u64, Relaxed);
        with_columns(batch, wanted, |name| Ok(take(self.rows.column(self.rows.schema().index_of(name)?), &rows, None)?))
    }
}

impl SideTable {
    /// Says how many rows of a file found theirs.
    fn tell(&self, main: &Path, all: u64, found: u64) {
        let share = found as f64 / all as f64;
        let (own, on, main) = (self.path.display(), &self.on, main.display());
        let text = format!("{own}: {:.1}% of {all} rows of {main} found theirs by `{on}`", share * 100.0);
        match share < MISSED {
            true => tracing::warn!("{text}; the others miss its columns; compare the values of the two key columns"),
            false => tracing::info!("{text}"),
        }
    }
}

/// The values of a key column.
fn keys(array: &ArrayRef, path: &Path, column: &str) -> Result<Values, DataError> {
    Values::of(array).map_err(|found| DataError::Type {
        path: path.to_path_buf(),
        column: column.to_string(),
        found: found.0.to_string(),
        needed: "one key a row",
    })
}

impl Source for Joined {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn stream(&self, columns: &[String]) -> Result<RowStream, DataError> {
        for name in columns {
            self.column(name)?;
        }
        let mut inner: Vec<String> =
            columns.iter().filter(|n| self.side.columns.iter().all(|c| c.name != **n)).cloned().collect();
        if !inner.contains(&self.side.on) {
            inner.push(self.side.on.clone());
        }
        let (side, wanted) = (self.side.clone(), columns.to_vec());
        let (own, told) = (self.side.clone(), self.told.clone());
        let counts = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let seen = counts.clone();
        let path = self.inner.path().to_path_buf();
        let on = side.on.clone();
        let place = path.clone();
        let rows = self.inner.stream(&inner)?.map(move |batch| side.attach(&batch?, &wanted, &seen, &place));
        let asked = self.asked;
        let check = std::iter::once_with(move || {
            let (all, found) = (counts.0.load(Relaxed), counts.1.load(Relaxed));
            if all == 0 || found > 0 {
                if all > 0 && !told.swap(true, Relaxed) {
                    own.tell(&path, all, found);
                }
                return None;
            }
            let problem = format!("no row of {} finds its `{on}` in the side table", path.display());
            if asked {
                tracing::warn!("{problem}; its columns are missing everywhere");
                return None;
            }
            let problem = format!("{problem}, so that all its columns would be missing; compare the two columns");
            Some(Err(DataError::Setting { key: "join".into(), problem }))
        });
        Ok(Box::new(rows.chain(check.flatten())))
    }

    fn locate(&self, position: u64) -> Location {
        self.inner.locate(position)
    }

    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn clock(&self) -> &Clock {
        self.inner.clock()
    }
}
