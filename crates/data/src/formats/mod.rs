//! Files of rows: CSV, TSV, Parquet, JSON lines, libsvm.

mod csv;
mod jsonl;
mod libsvm;
mod parquet;
mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{FormatKind, TextConfig};
use crate::error::DataError;
use crate::source::{Column, Format, Location, ROW_BITS, RowStream, Source};

pub(crate) use text::open as open_text;

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
        FormatKind::Csv => Arc::new(csv::Delimited::new(text, b',', Some(b'"'))?),
        FormatKind::Tsv => Arc::new(csv::Delimited::new(text, b'\t', None)?),
        FormatKind::Parquet => Arc::new(parquet::ParquetFormat::new(path)),
        FormatKind::Jsonl => Arc::new(jsonl::Jsonl),
        FormatKind::Libsvm => Arc::new(libsvm::Libsvm),
    };
    let paths = match meta.is_dir() {
        true => parquet::list(path)?,
        false => vec![path.to_path_buf()],
    };
    let columns = reader.columns(&paths[0])?;
    if let Some(twice) = (1..columns.len()).find(|&i| columns[..i].iter().any(|c| c.name == columns[i].name)) {
        return Err(DataError::DuplicateColumn { path: paths[0].clone(), column: columns[twice].name.clone() });
    }
    Ok(Arc::new(Files { root: path.to_path_buf(), paths, columns, format: reader }))
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
