//! `label index:value …` lines (libsvm, SVMlight, libfm; libffm's `field:index:value` too).
//!
//! They become three columns: `label`, `features` (list of indices as text; libffm's are `field:index`)
//! and `values` (list of numbers as text, one an index). `qid:` and what follows `#` are left out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringBuilder, UInt64Array};
use arrow::datatypes::DataType;

use crate::error::DataError;
use crate::formats::csv::text_schema;
use crate::formats::jsonl::list_type;
use crate::formats::text::Lines;
use crate::source::{CHUNK_ROWS, Column, Format, RowStream, chunks, pack};

/// Reads libsvm lines.
pub(crate) struct Libsvm;

fn all_columns() -> Vec<Column> {
    let column = |name: &str, data_type| Column { name: name.into(), data_type, typed: None };
    vec![column("label", DataType::Utf8), column("features", list_type()), column("values", list_type())]
}

impl Format for Libsvm {
    fn columns(&self, path: &Path) -> Result<Vec<Column>, DataError> {
        match Lines::open(path)?.next_line() {
            None => Err(DataError::Empty { path: path.to_path_buf() }),
            Some(Err(e)) => Err(e),
            Some(Ok(_)) => Ok(all_columns()),
        }
    }

    fn stream(&self, path: &Path, file: usize, columns: &[Column]) -> Result<RowStream, DataError> {
        let mut rows = Vectors {
            path: path.to_path_buf(),
            file,
            lines: Lines::open(path)?,
            picked: columns.iter().filter_map(|c| all_columns().iter().position(|a| a.name == c.name)).collect(),
            columns: columns.to_vec(),
        };
        Ok(chunks(move || rows.chunk()))
    }

    fn is_text(&self) -> bool {
        true
    }
}

struct Vectors {
    path: PathBuf,
    file: usize,
    lines: Lines,
    picked: Vec<usize>,
    columns: Vec<Column>,
}

impl Vectors {
    fn chunk(&mut self) -> Result<Option<RecordBatch>, DataError> {
        let mut labels = StringBuilder::new();
        let mut ids = ListBuilder::new(StringBuilder::new());
        let mut values = ListBuilder::new(StringBuilder::new());
        let mut places = Vec::new();
        while places.len() < CHUNK_ROWS {
            let Some(next) = self.lines.next_line() else {
                break;
            };
            let (line, text) = next?;
            let mut words = text.split('#').next().unwrap_or("").split_ascii_whitespace();
            labels.append_option(words.next());
            for word in words.filter(|w| !w.starts_with("qid:")) {
                let pair = word.rsplit_once(':').filter(|(i, v)| !i.is_empty() && v.parse::<f64>().is_ok());
                let (id, value) = pair.ok_or_else(|| DataError::Line {
                    path: self.path.clone(),
                    line,
                    problem: format!("`{word}` is not index:value; write each feature as a number after its index"),
                })?;
                ids.values().append_value(id);
                values.values().append_value(value);
            }
            ids.append(true);
            values.append(true);
            places.push(pack(self.file, line));
        }
        if places.is_empty() {
            return Ok(None);
        }
        let all: [ArrayRef; 3] = [Arc::new(labels.finish()), Arc::new(ids.finish()), Arc::new(values.finish())];
        let mut arrays: Vec<ArrayRef> = self.picked.iter().map(|&i| all[i].clone()).collect();
        arrays.push(Arc::new(UInt64Array::from(places)));
        Ok(Some(RecordBatch::try_new(text_schema(&self.columns), arrays)?))
    }
}
