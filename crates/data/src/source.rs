//! The source of rows: columns, a stream of record batches, and where each row stood.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};

use crate::clock::Clock;
use crate::error::DataError;

/// Rows in one record batch of a stream.
pub const CHUNK_ROWS: usize = 8192;

/// Name of the hidden column with each row's place: file number in the upper 24 bits, line or row below.
pub const POSITION: &str = "__position";

pub(crate) const ROW_BITS: u32 = 40;

/// A stream of record batches; each ends with the [`POSITION`] column.
pub type RowStream = Box<dyn Iterator<Item = Result<RecordBatch, DataError>> + Send>;

/// What a typed header (`name:token`) says of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// One id.
    Token,
    /// Several ids, separated by a space.
    TokenSeq,
    /// One number.
    Float,
    /// Several numbers, separated by a space.
    FloatSeq,
}

/// A column of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name, without the typed suffix.
    pub name: String,
    /// Its Arrow type; text formats give `Utf8`.
    pub data_type: DataType,
    /// What a typed header says.
    pub typed: Option<Typed>,
}

impl Column {
    /// A column without a typed header.
    pub(crate) fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: name.into(), data_type, typed: None }
    }
}

/// Where a row stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub path: PathBuf,
    /// Line from 1 (text), or row from 1 (Parquet).
    pub number: u64,
    /// Whether `number` is a line of text.
    pub is_line: bool,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.is_line {
            true => write!(f, "{}:{}", self.path.display(), self.number),
            false => write!(f, "{}, row {}", self.path.display(), self.number),
        }
    }
}

/// A place that rows come from; streaming it twice gives the same rows in the same order.
pub trait Source: Send + Sync {
    /// The columns, in order.
    fn columns(&self) -> &[Column];
    /// Streams the named columns, then [`POSITION`].
    fn stream(&self, columns: &[String]) -> Result<RowStream, DataError>;
    /// Streams the same of a stretch of time, `from` included and `to` not, and perhaps of rows around it: sources that keep
    /// their rows in the order of that column read no more than they need.
    fn stream_around(&self, columns: &[String], _time: &str, _from: i64, _to: i64) -> Result<RowStream, DataError> {
        self.stream(columns)
    }
    /// Turns a value of [`POSITION`] into a place.
    fn locate(&self, position: u64) -> Location;
    /// The path to name in errors about the whole source.
    fn path(&self) -> &Path;
    /// How its times are read.
    fn clock(&self) -> &Clock;

    /// The column of this name.
    ///
    /// # Errors
    /// [`DataError::NoColumn`], with the columns that there are.
    fn column(&self, name: &str) -> Result<&Column, DataError> {
        self.columns().iter().find(|c| c.name == name).ok_or_else(|| {
            let names: Vec<_> = self.columns().iter().map(|c| c.name.as_str()).collect();
            DataError::NoColumn {
                path: self.path().to_path_buf(),
                column: name.to_string(),
                available: names.join(", "),
            }
        })
    }
}

/// The [`POSITION`] column of a batch.
pub fn positions(batch: &RecordBatch) -> &[u64] {
    batch
        .column_by_name(POSITION)
        .and_then(|c| c.as_any().downcast_ref::<UInt64Array>())
        .map(|c| c.values().as_ref())
        .unwrap_or(&[])
}

/// A batch of the wanted columns, by `other` where they are not the batch's own, and of its [`POSITION`] behind them.
pub(crate) fn with_columns(
    batch: &RecordBatch,
    wanted: &[String],
    other: impl Fn(&str) -> Result<ArrayRef, DataError>,
) -> Result<RecordBatch, DataError> {
    let schema = batch.schema();
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for name in wanted {
        let array = match schema.index_of(name) {
            Ok(own) => batch.column(own).clone(),
            Err(_) => other(name)?,
        };
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let last = batch.num_columns() - 1;
    fields.push(schema.field(last).clone());
    arrays.push(batch.column(last).clone());
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// A stream of what `next` gives, until it gives none or an error.
pub(crate) fn chunks(mut next: impl FnMut() -> Result<Option<RecordBatch>, DataError> + Send + 'static) -> RowStream {
    let mut ended = false;
    Box::new(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let chunk = next();
        ended = !matches!(chunk, Ok(Some(_)));
        chunk.transpose()
    }))
}

/// Packs a file number and a line or row.
pub(crate) fn pack(file: usize, number: u64) -> u64 {
    ((file as u64) << ROW_BITS) | number
}

/// What a file says of its rows before they are read.
pub(crate) struct Head {
    pub(crate) columns: Vec<Column>,
    /// Whether there are some.
    pub(crate) rows: bool,
}

/// One format's way to read one file.
pub(crate) trait Format: Send + Sync {
    fn head(&self, path: &Path) -> Result<Head, DataError>;
    /// The rows of columns that [`Format::head`] named.
    fn stream(&self, path: &Path, file: usize, columns: &[Column]) -> Result<RowStream, DataError>;
    fn is_text(&self) -> bool;
}
