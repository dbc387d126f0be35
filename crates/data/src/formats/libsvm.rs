//! `label index:value …` lines (libsvm, SVMlight, LETOR, libfm; libffm's `field:index:value` too).
//!
//! They become four columns: `label`, `qid` (the query that a line is of, missing where it names none), `features` (list
//! of indices as text; libffm's are `field:index`) and `values` (list of numbers as text, one an index). What follows `#`
//! is a comment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringBuilder, UInt64Array};
use arrow::datatypes::DataType;

use super::csv::text_schema;
use super::text::Lines;
use super::unify::list_of_text;
use crate::error::DataError;
use crate::source::{CHUNK_ROWS, Column, Format, Head, RowStream, chunks, pack};

/// Reads libsvm lines.
pub(crate) struct Libsvm;

fn all_columns() -> Vec<Column> {
    let (text, list) = (DataType::Utf8, list_of_text());
    [("label", &text), ("qid", &text), ("features", &list), ("values", &list)]
        .map(|(name, data_type)| Column::new(name, data_type.clone()))
        .into()
}

impl Format for Libsvm {
    fn head(&self, path: &Path) -> Result<Head, DataError> {
        let mut lines = Lines::open(path)?;
        while let Some(line) = lines.next_line() {
            if !words(line?.1).is_empty() {
                return Ok(Head { columns: all_columns(), rows: true });
            }
        }
        Ok(Head { columns: all_columns(), rows: false })
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

/// A line without its comment.
fn words(line: &str) -> &str {
    line.split('#').next().unwrap_or("").trim()
}

struct Vectors {
    path: PathBuf,
    file: usize,
    lines: Lines,
    picked: Vec<usize>,
    columns: Vec<Column>,
}

#[derive(Default)]
struct Builders {
    labels: StringBuilder,
    queries: StringBuilder,
    ids: ListBuilder<StringBuilder>,
    values: ListBuilder<StringBuilder>,
}

impl Builders {
    /// Takes a line; the word that is no feature where there is one.
    fn push<'a>(&mut self, line: &'a str) -> Result<(), &'a str> {
        let mut words = line.split_ascii_whitespace();
        self.labels.append_option(words.next());
        let mut query = None;
        for word in words {
            if let Some(id) = word.strip_prefix("qid:") {
                query = Some(id);
                continue;
            }
            let pair = word.rsplit_once(':').filter(|(i, v)| !i.is_empty() && v.parse::<f64>().is_ok());
            let (id, value) = pair.ok_or(word)?;
            self.ids.values().append_value(id);
            self.values.values().append_value(value);
        }
        self.queries.append_option(query);
        self.ids.append(true);
        self.values.append(true);
        Ok(())
    }
}

impl Vectors {
    fn chunk(&mut self) -> Result<Option<RecordBatch>, DataError> {
        let mut rows = Builders::default();
        let mut places = Vec::new();
        while places.len() < CHUNK_ROWS {
            let Some(next) = self.lines.next_line() else {
                break;
            };
            let (line, text) = next?;
            let text = words(text);
            if text.is_empty() {
                continue;
            }
            rows.push(text).map_err(|word| DataError::Line {
                path: self.path.clone(),
                line,
                problem: format!("`{word}` is not index:value; write each feature as a number after its index"),
            })?;
            places.push(pack(self.file, line));
        }
        if places.is_empty() {
            return Ok(None);
        }
        let all: [ArrayRef; 4] = [
            Arc::new(rows.labels.finish()),
            Arc::new(rows.queries.finish()),
            Arc::new(rows.ids.finish()),
            Arc::new(rows.values.finish()),
        ];
        let mut arrays: Vec<ArrayRef> = self.picked.iter().map(|&i| all[i].clone()).collect();
        arrays.push(Arc::new(UInt64Array::from(places)));
        Ok(Some(RecordBatch::try_new(text_schema(&self.columns), arrays)?))
    }
}
