//! Files of rows: CSV, TSV, Parquet, JSON lines, libsvm.

mod csv;
mod files;
mod jsonl;
mod libsvm;
mod parquet;
mod parts;
mod text;
mod unify;

use std::path::Path;
use std::sync::Arc;

use crate::config::{DataConfig, FormatKind, JoinConfig, TextConfig};
use crate::error::DataError;
use crate::source::{Format, Source};
use crate::value::TimeUnit;
use files::Files;

pub(crate) use csv::text_schema;
pub use jsonl::Object;
pub(crate) use jsonl::{Builder, Hints};
pub(crate) use text::{open as open_text, other_than_lines};
pub(crate) use unify::list_of_text;

/// How a file or folder is read.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// Its format; told by the extension when absent.
    pub format: Option<FormatKind>,
    /// How text is read.
    pub text: TextConfig,
    /// What whole numbers of time columns count; told by their size when absent.
    pub time_unit: Option<TimeUnit>,
    /// Whether it may have no rows.
    pub may_be_empty: bool,
}

impl From<&DataConfig> for Reads {
    fn from(config: &DataConfig) -> Self {
        let (format, text, time_unit) = (config.format, config.text.clone(), config.time_unit);
        Self { format, text, time_unit, may_be_empty: false }
    }
}

impl From<&JoinConfig> for Reads {
    fn from(config: &JoinConfig) -> Self {
        Self { format: config.format, text: config.text.clone(), ..Self::default() }
    }
}

/// Opens a file or a folder of files.
///
/// # Errors
/// A path that is not there, is empty, has only a header, or that its format refuses.
pub fn open_path(path: &Path, how: &Reads) -> Result<Arc<dyn Source>, DataError> {
    let meta = std::fs::metadata(path).map_err(|e| DataError::io(path, e))?;
    if !meta.is_file() && !meta.is_dir() {
        return Err(DataError::Setting {
            key: "source".into(),
            problem: format!(
                "{} is neither a file nor a folder; rows are read more than once, so that a pipe will not do",
                path.display()
            ),
        });
    }
    let (kind, paths) = match meta.is_dir() {
        true => parts::list(path, how.format)?,
        false => (kind_of(path, how.format)?, vec![path.to_path_buf()]),
    };
    if how.text != TextConfig::default() && !matches!(kind, FormatKind::Csv | FormatKind::Tsv) {
        return Err(DataError::Setting {
            key: "text".into(),
            problem: format!("goes with csv and tsv; {} is {kind:?}: remove it", path.display()),
        });
    }
    let reader: Arc<dyn Format> = match kind {
        FormatKind::Csv => Arc::new(csv::Delimited::new(&how.text, b',', Some(b'"'))?),
        FormatKind::Tsv => Arc::new(csv::Delimited::new(&how.text, b'\t', None)?),
        FormatKind::Parquet => Arc::new(parquet::ParquetFormat),
        FormatKind::Jsonl => Arc::new(jsonl::Jsonl),
        FormatKind::Libsvm => Arc::new(libsvm::Libsvm),
        FormatKind::Generated => Arc::new(crate::synthetic::Generated),
    };
    Ok(Arc::new(Files::open(path, paths, reader, how)?))
}

/// Cells of the first line of delimited text.
pub(crate) fn width(path: &Path, format: Option<FormatKind>, text: &TextConfig) -> Result<usize, DataError> {
    match kind_of(path, format)? {
        FormatKind::Csv => csv::Delimited::new(text, b',', Some(b'"'))?.width(path),
        FormatKind::Tsv => csv::Delimited::new(text, b'\t', None)?.width(path),
        kind => Err(DataError::Setting {
            key: "text".into(),
            problem: format!("{} is {kind:?}, which has no header to lack", path.display()),
        }),
    }
}

/// The format that a file, or the files of a folder, are told to have by their names.
pub fn kind_at(path: &Path) -> Option<FormatKind> {
    match path.is_dir() {
        true => parts::list(path, None).ok().map(|(kind, _)| kind),
        false => FormatKind::of_path(path),
    }
}

fn kind_of(path: &Path, given: Option<FormatKind>) -> Result<FormatKind, DataError> {
    given.or_else(|| FormatKind::of_path(path)).ok_or_else(|| DataError::Setting {
        key: "format".into(),
        problem: format!(
            "cannot tell the format of {} by its extension; say csv, tsv, parquet, jsonl or libsvm",
            path.display()
        ),
    })
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
            "generated" => Some(Self::Generated),
            _ => None,
        }
    }
}
