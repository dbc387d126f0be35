//! Parquet: a file, a folder of files, or a folder with `key=value` partitions.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::DataError;
use crate::source::{CHUNK_ROWS, Column, Format, POSITION, RowStream, pack};

/// Reads Parquet below a root; partition columns come from the folders between root and file.
pub(crate) struct ParquetFormat {
    root: PathBuf,
}

impl ParquetFormat {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// The `key=value` folders between the root and a file.
    fn partitions(&self, path: &Path) -> Vec<(String, String)> {
        let below = path.strip_prefix(&self.root).unwrap_or(Path::new(""));
        let folders = below.parent().unwrap_or(Path::new(""));
        let pair = |part: std::path::Component<'_>| {
            let (key, value) = part.as_os_str().to_str()?.split_once('=')?;
            Some((decoded(key), decoded(value)))
        };
        folders.components().filter_map(pair).collect()
    }
}

/// A folder name with its `%20` and the like turned back into characters.
fn decoded(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|c| std::str::from_utf8(c).ok());
        match code.and_then(|c| u8::from_str_radix(c, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| name.to_string())
}

/// The Parquet files below a folder, in the order of their paths.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).map_err(|e| DataError::io(&next, e))? {
            let path = entry.map_err(|e| DataError::io(&next, e))?.path();
            let hidden = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(['_', '.']));
            match (hidden, path.is_dir()) {
                (true, _) => {}
                (_, true) => folders.push(path),
                _ if path.extension().is_some_and(|e| e == "parquet" || e == "pq") => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    match files.is_empty() {
        true => {
            Err(DataError::IsFolder { path: folder.to_path_buf(), expected: "file, or a folder of .parquet files," })
        }
        false => Ok(files),
    }
}

fn corrupt(path: &Path) -> impl Fn(parquet::errors::ParquetError) -> DataError + '_ {
    |e| DataError::Corrupt { path: path.to_path_buf(), format: "Parquet", reason: e.to_string() }
}

fn builder(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, DataError> {
    let file = File::open(path).map_err(|e| DataError::io(path, e))?;
    // The decoder panics on some damaged files.
    let opened = std::panic::catch_unwind(|| ParquetRecordBatchReaderBuilder::try_new(file));
    opened
        .unwrap_or_else(|_| Err(parquet::errors::ParquetError::General("its decoder failed".into())))
        .map_err(corrupt(path))
}

impl Format for ParquetFormat {
    fn columns(&self, path: &Path) -> Result<Vec<Column>, DataError> {
        let builder = builder(path)?;
        if builder.metadata().file_metadata().num_rows() == 0 {
            return Err(DataError::HeaderOnly { path: path.to_path_buf() });
        }
        let stored = builder.schema().fields().iter().map(|f| Column {
            name: f.name().clone(),
            data_type: f.data_type().clone(),
            typed: None,
        });
        let folders =
            self.partitions(path).into_iter().map(|(name, _)| Column { name, data_type: DataType::Utf8, typed: None });
        Ok(stored.chain(folders).collect())
    }

    fn stream(&self, path: &Path, file: usize, columns: &[Column]) -> Result<RowStream, DataError> {
        let builder = builder(path)?;
        let partitions = self.partitions(path);
        let stored: Vec<&str> = columns
            .iter()
            .map(|c| c.name.as_str())
            .filter(|name| partitions.iter().all(|(key, _)| key != name))
            .collect();
        if let Some(absent) = stored.iter().find(|name| builder.schema().index_of(name).is_err()) {
            let names: Vec<_> = builder.schema().fields().iter().map(|f| f.name().as_str()).collect();
            return Err(DataError::NoColumn {
                path: path.to_path_buf(),
                column: absent.to_string(),
                available: names.join(", "),
            });
        }
        let mask = ProjectionMask::columns(builder.parquet_schema(), stored.iter().copied());
        let roots: Vec<usize> = stored.iter().filter_map(|n| builder.schema().index_of(n).ok()).collect();
        let mask = if roots.is_empty() { mask } else { ProjectionMask::roots(builder.parquet_schema(), roots) };
        let reader = builder.with_projection(mask).with_batch_size(CHUNK_ROWS).build().map_err(corrupt(path))?;
        let (path, columns) = (path.to_path_buf(), columns.to_vec());
        let mut row = 0;
        Ok(Box::new(reader.map(move |batch| {
            let batch = batch.map_err(|e| DataError::Corrupt {
                path: path.clone(),
                format: "Parquet",
                reason: e.to_string(),
            })?;
            let out = arrange(&batch, &columns, &partitions, file, row);
            row += batch.num_rows() as u64;
            out
        })))
    }

    fn is_text(&self) -> bool {
        false
    }
}

/// Puts the columns into the order asked for, with partition values and positions added.
fn arrange(
    batch: &RecordBatch,
    columns: &[Column],
    partitions: &[(String, String)],
    file: usize,
    first_row: u64,
) -> Result<RecordBatch, DataError> {
    let rows = batch.num_rows();
    let mut fields = Vec::with_capacity(columns.len() + 1);
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len() + 1);
    for column in columns {
        let array: ArrayRef = match partitions.iter().find(|(key, _)| *key == column.name) {
            // Hive's name of a missing value.
            Some((_, value)) if value == "__HIVE_DEFAULT_PARTITION__" => {
                Arc::new(StringArray::from(vec![None::<&str>; rows]))
            }
            Some((_, value)) => Arc::new(StringArray::from(vec![value.as_str(); rows])),
            None => batch.column(batch.schema().index_of(&column.name)?).clone(),
        };
        fields.push(Field::new(&column.name, array.data_type().clone(), true));
        arrays.push(array);
    }
    fields.push(Field::new(POSITION, DataType::UInt64, false));
    arrays.push(Arc::new(UInt64Array::from_iter_values((0..rows as u64).map(|r| pack(file, first_row + r)))));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn partition_names_are_percent_decoded() {
        assert_eq!(super::decoded("a%20b%2Fc"), "a b/c");
        assert_eq!(super::decoded("50%"), "50%");
        assert_eq!(super::decoded("%zz"), "%zz");
    }
}
