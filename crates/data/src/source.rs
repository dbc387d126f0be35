//! The source of rows: columns, a stream of record batches, and where each row stood.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};

use crate::config::{DataConfig, FormatKind, TextConfig};
use crate::error::DataError;
use crate::history::Historied;
use crate::join::Joined;
use crate::sort::Sorted;
use crate::{format_csv, format_jsonl, format_libsvm, format_parquet};

/// Rows in one record batch of a stream.
pub const CHUNK_ROWS: usize = 8192;

/// Name of the hidden column with each row's place: file number in the upper 24 bits, line or row below.
pub const POSITION: &str = "__position";

const ROW_BITS: u32 = 40;

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

/// Where a row stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub path: PathBuf,
    /// Line from 1 (text), or row from 0 (Parquet).
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
    /// Turns a value of [`POSITION`] into a place.
    fn locate(&self, position: u64) -> Location;
    /// The path to name in errors about the whole source.
    fn path(&self) -> &Path;

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

/// Packs a file number and a line or row.
pub(crate) fn pack(file: usize, number: u64) -> u64 {
    ((file as u64) << ROW_BITS) | number
}

/// One format's way to read one file.
pub(crate) trait Format: Send + Sync {
    fn columns(&self, path: &Path) -> Result<Vec<Column>, DataError>;
    fn stream(&self, path: &Path, file: usize, columns: &[Column]) -> Result<RowStream, DataError>;
    fn is_text(&self) -> bool;
}

/// One or several files of one format and the same columns.
struct Files {
    root: PathBuf,
    paths: Vec<PathBuf>,
    columns: Vec<Column>,
    format: Arc<dyn Format>,
}

impl Source for Files {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn stream(&self, columns: &[String]) -> Result<RowStream, DataError> {
        let wanted: Vec<Column> = columns.iter().map(|name| self.column(name).cloned()).collect::<Result<_, _>>()?;
        let (paths, format) = (self.paths.clone(), self.format.clone());
        let each = paths.into_iter().enumerate().flat_map(move |(file, path)| {
            format.stream(&path, file, &wanted).unwrap_or_else(|e| Box::new(std::iter::once(Err(e))))
        });
        Ok(Box::new(each))
    }

    fn locate(&self, position: u64) -> Location {
        let file = (position >> ROW_BITS) as usize;
        Location {
            path: self.paths.get(file).cloned().unwrap_or_else(|| self.root.clone()),
            number: position & ((1 << ROW_BITS) - 1),
            is_line: self.format.is_text(),
        }
    }

    fn path(&self) -> &Path {
        &self.root
    }
}

/// Opens a file or a folder of files.
///
/// # Errors
/// A path that is not there, is empty, has only a header, or that its format refuses.
pub fn open_path(path: &Path, format: Option<FormatKind>, text: &TextConfig) -> Result<Arc<dyn Source>, DataError> {
    let meta = std::fs::metadata(path).map_err(|e| DataError::io(path, e))?;
    let kind = match format.or_else(|| FormatKind::of_path(path)) {
        Some(kind) => kind,
        None if meta.is_dir() => FormatKind::Parquet,
        None => {
            return Err(DataError::Setting {
                key: "format".into(),
                problem: format!(
                    "cannot tell the format of {} by its extension; say csv, tsv, parquet, jsonl or libsvm",
                    path.display()
                ),
            });
        }
    };
    if meta.is_dir() && kind != FormatKind::Parquet {
        return Err(DataError::IsFolder { path: path.to_path_buf(), expected: "file" });
    }
    if !meta.is_file() && !meta.is_dir() {
        return Err(DataError::Setting {
            key: "source".into(),
            problem: format!(
                "{} is neither a file nor a folder; rows are read more than once, so that a pipe will not do",
                path.display()
            ),
        });
    }
    if meta.is_file() && meta.len() == 0 {
        return Err(DataError::Empty { path: path.to_path_buf() });
    }
    if *text != TextConfig::default() && !matches!(kind, FormatKind::Csv | FormatKind::Tsv) {
        return Err(DataError::Setting {
            key: "text".into(),
            problem: format!("goes with csv and tsv; {} is {kind:?}: remove it", path.display()),
        });
    }
    let reader: Arc<dyn Format> = match kind {
        FormatKind::Csv => Arc::new(format_csv::Delimited::new(text, b',', Some(b'"'))?),
        FormatKind::Tsv => Arc::new(format_csv::Delimited::new(text, b'\t', None)?),
        FormatKind::Parquet => Arc::new(format_parquet::ParquetFormat::new(path)),
        FormatKind::Jsonl => Arc::new(format_jsonl::Jsonl),
        FormatKind::Libsvm => Arc::new(format_libsvm::Libsvm),
    };
    let paths = match meta.is_dir() {
        true => format_parquet::list(path)?,
        false => vec![path.to_path_buf()],
    };
    let columns = reader.columns(&paths[0])?;
    if let Some(twice) = (1..columns.len()).find(|&i| columns[..i].iter().any(|c| c.name == columns[i].name)) {
        return Err(DataError::DuplicateColumn { path: paths[0].clone(), column: columns[twice].name.clone() });
    }
    Ok(Arc::new(Files { root: path.to_path_buf(), paths, columns, format: reader }))
}

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

impl FormatKind {
    /// The format that a path's extension names, a `.gz` or `.zst` behind it left aside.
    pub fn of_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
        let extension = name.rsplit_once('.')?.1;
        match extension {
            "csv" => Some(Self::Csv),
            "tsv" | "inter" | "user" | "item" | "tab" => Some(Self::Tsv),
            "parquet" | "pq" | "brotli" => Some(Self::Parquet),
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            "libsvm" | "svm" | "svmlight" | "libfm" => Some(Self::Libsvm),
            _ => None,
        }
    }
}
