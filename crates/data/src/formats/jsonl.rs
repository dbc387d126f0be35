//! One JSON object a line. Scalars become text columns; arrays of scalars become lists of text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringBuilder, UInt64Array};
use arrow::datatypes::{DataType, Field, SchemaRef};
use serde_json::Value;

use crate::error::DataError;
use crate::formats::csv::text_schema;
use crate::formats::text::Lines;
use crate::source::{CHUNK_ROWS, Column, Format, RowStream, chunks, pack};

/// Lines that are looked at to learn which columns there are.
const LINES_FOR_COLUMNS: usize = 1000;

/// Reads JSON lines.
pub(crate) struct Jsonl;

/// The type of a column whose values are JSON arrays.
pub(crate) fn list_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

fn object(path: &Path, line: u64, text: &str) -> Result<serde_json::Map<String, Value>, DataError> {
    let problem = |p: String| DataError::Line { path: path.to_path_buf(), line, problem: p };
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(problem("is not a JSON object; each line must be one `{…}`".into())),
        Err(e) => {
            Err(problem(format!("is not valid JSON at column {} ({}); each line must be one `{{…}}`", e.column(), e)))
        }
    }
}

impl Format for Jsonl {
    fn columns(&self, path: &Path) -> Result<Vec<Column>, DataError> {
        let mut lines = Lines::open(path)?;
        let mut columns: Vec<Column> = Vec::new();
        let mut seen = 0;
        while seen < LINES_FOR_COLUMNS {
            let Some(next) = lines.next_line() else { break };
            let (line, text) = next?;
            for (name, value) in object(path, line, text)? {
                let data_type = if value.is_array() { list_type() } else { DataType::Utf8 };
                match columns.iter_mut().find(|c| c.name == name) {
                    Some(known) if value.is_array() => known.data_type = data_type,
                    Some(_) => {}
                    None => columns.push(Column { name, data_type, typed: None }),
                }
            }
            seen += 1;
        }
        match seen {
            0 => Err(DataError::Empty { path: path.to_path_buf() }),
            _ => Ok(columns),
        }
    }

    fn stream(&self, path: &Path, file: usize, columns: &[Column]) -> Result<RowStream, DataError> {
        let mut rows = Objects {
            path: path.to_path_buf(),
            file,
            lines: Lines::open(path)?,
            columns: columns.to_vec(),
            schema: text_schema(columns),
        };
        Ok(chunks(move || rows.chunk()))
    }

    fn is_text(&self) -> bool {
        true
    }
}

enum Builder {
    One(StringBuilder),
    Many(ListBuilder<StringBuilder>),
}

impl Builder {
    fn push(&mut self, value: Option<&Value>) -> Result<(), &'static str> {
        match (self, value) {
            (Self::One(b), None | Some(Value::Null)) => b.append_null(),
            (Self::One(_), Some(Value::Array(_) | Value::Object(_))) => {
                return Err("holds an array or object where one value is expected");
            }
            (Self::One(b), Some(v)) => b.append_value(scalar(v)?),
            (Self::Many(b), None | Some(Value::Null)) => b.append_null(),
            (Self::Many(b), Some(Value::Array(items))) => {
                for item in items {
                    match item {
                        Value::Array(_) | Value::Object(_) => return Err("holds a nested array or object"),
                        Value::Null => b.values().append_null(),
                        v => b.values().append_value(scalar(v)?),
                    }
                }
                b.append(true);
            }
            (Self::Many(_), Some(_)) => return Err("holds one value where other lines have an array"),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::One(b) => Arc::new(b.finish()),
            Self::Many(b) => Arc::new(b.finish()),
        }
    }
}

/// The text of a value. A whole number that needs more than 64 bits has lost digits when it gets here.
fn scalar(value: &Value) -> Result<String, &'static str> {
    let lost = |n: &serde_json::Number| n.is_f64() && n.as_f64().is_some_and(|x| x.fract() == 0.0 && x.abs() >= 1.8e19);
    match value {
        Value::String(s) => Ok(s.clone()),
        Value::Number(n) if lost(n) => Err("holds a number of more than 64 bits; write it as a string, in quotes"),
        other => Ok(other.to_string()),
    }
}

struct Objects {
    path: PathBuf,
    file: usize,
    lines: Lines,
    columns: Vec<Column>,
    schema: SchemaRef,
}

impl Objects {
    fn chunk(&mut self) -> Result<Option<RecordBatch>, DataError> {
        let builder = |c: &Column| match c.data_type {
            DataType::List(_) => Builder::Many(ListBuilder::new(StringBuilder::new())),
            _ => Builder::One(StringBuilder::new()),
        };
        let mut builders: Vec<Builder> = self.columns.iter().map(builder).collect();
        let mut places = Vec::new();
        while places.len() < CHUNK_ROWS {
            let Some(next) = self.lines.next_line() else {
                break;
            };
            let (line, text) = next?;
            let map = object(&self.path, line, text)?;
            for (builder, column) in builders.iter_mut().zip(&self.columns) {
                builder.push(map.get(&column.name)).map_err(|problem| DataError::Line {
                    path: self.path.clone(),
                    line,
                    problem: format!("key `{}` {problem}", column.name),
                })?;
            }
            places.push(pack(self.file, line));
        }
        if places.is_empty() {
            return Ok(None);
        }
        let mut arrays: Vec<ArrayRef> = builders.iter_mut().map(Builder::finish).collect();
        arrays.push(Arc::new(UInt64Array::from(places)));
        Ok(Some(RecordBatch::try_new(self.schema.clone(), arrays)?))
    }
}
