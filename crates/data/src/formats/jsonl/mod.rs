//! One JSON object a line. Scalars become text columns; arrays of scalars become lists of text.

mod object;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, NullArray, RecordBatch, StringBuilder, UInt64Array};
use arrow::datatypes::DataType;

use super::csv::text_schema;
use super::text::Lines;
use super::unify::list_of_text;
use crate::error::DataError;
use crate::source::{CHUNK_ROWS, Column, Format, Head, RowStream, chunks, pack};

pub(crate) use object::Hints;
pub use object::Object;

/// Reads JSON lines.
pub(crate) struct Jsonl;

fn object<'a>(path: &Path, line: u64, text: &'a str) -> Result<Object<'a>, DataError> {
    let problem = |p: String| DataError::Line { path: path.to_path_buf(), line, problem: p };
    serde_json::from_str(text).map_err(|e| match serde_json::from_str::<&serde_json::value::RawValue>(text) {
        Ok(_) => problem("is not a JSON object; each line must be one `{…}`".into()),
        Err(_) => problem(format!("is not valid JSON at column {} ({}); each line must be one `{{…}}`", e.column(), e)),
    })
}

impl Format for Jsonl {
    /// Looks at every line: a key may come late, and be null or empty before.
    fn head(&self, path: &Path) -> Result<Head, DataError> {
        let mut lines = Lines::open(path)?;
        let mut columns: Vec<Column> = Vec::new();
        let mut rows = false;
        while let Some(next) = lines.next_line() {
            let (line, text) = next?;
            rows = true;
            for (place, (name, value)) in object(path, line, text)?.0.into_iter().enumerate() {
                // Keys mostly stand where they stood on the lines before.
                let known = columns.get(place).is_some_and(|c| c.name == name).then_some(place);
                let at = known.or_else(|| columns.iter().position(|c| c.name == name)).unwrap_or_else(|| {
                    columns.push(Column::new(name, DataType::Null));
                    columns.len() - 1
                });
                match value.get().as_bytes()[0] {
                    b'n' => {}
                    b'[' => columns[at].data_type = list_of_text(),
                    _ if columns[at].data_type == DataType::Null => columns[at].data_type = DataType::Utf8,
                    _ => {}
                }
            }
        }
        Ok(Head { columns, rows })
    }

    fn stream(&self, path: &Path, file: usize, columns: &[Column]) -> Result<RowStream, DataError> {
        let mut rows = Objects { path: path.to_path_buf(), file, lines: Lines::open(path)?, columns: columns.to_vec() };
        Ok(chunks(move || rows.chunk()))
    }

    fn is_text(&self) -> bool {
        true
    }
}

/// The values of a key.
pub(crate) enum Builder {
    None(usize),
    One(StringBuilder),
    Many(ListBuilder<StringBuilder>),
}

impl Builder {
    pub(crate) fn of(column: &Column) -> Self {
        match column.data_type {
            DataType::Null => Self::None(0),
            DataType::List(_) => Self::Many(ListBuilder::new(StringBuilder::new())),
            _ => Self::One(StringBuilder::new()),
        }
    }

    pub(crate) fn push(&mut self, value: Option<&str>) -> Result<(), &'static str> {
        match (self, value) {
            (Self::None(rows), _) => *rows += 1,
            (Self::One(b), None) => b.append_null(),
            (Self::One(b), Some(raw)) => b.append_option(object::scalar(raw)?),
            (Self::Many(b), None) => b.append_null(),
            (Self::Many(b), Some(raw)) => {
                let items = object::items(raw).ok_or("holds one value where other lines have an array")?;
                for item in items {
                    b.values().append_option(object::scalar(item.get()).map_err(|_| "holds a nested array or object")?);
                }
                b.append(true);
            }
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::None(rows) => Arc::new(NullArray::new(*rows)),
            Self::One(b) => Arc::new(b.finish()),
            Self::Many(b) => Arc::new(b.finish()),
        }
    }
}

struct Objects {
    path: PathBuf,
    file: usize,
    lines: Lines,
    columns: Vec<Column>,
}

impl Objects {
    fn chunk(&mut self) -> Result<Option<RecordBatch>, DataError> {
        let mut builders: Vec<Builder> = self.columns.iter().map(Builder::of).collect();
        let (mut places, mut hints) = (Vec::new(), Hints::default());
        while places.len() < CHUNK_ROWS {
            let Some(next) = self.lines.next_line() else {
                break;
            };
            let (line, text) = next?;
            let object = object(&self.path, line, text)?;
            let mut values = Vec::with_capacity(self.columns.len());
            hints.values(&object, &self.columns, &mut values);
            for ((builder, column), value) in builders.iter_mut().zip(&self.columns).zip(values) {
                builder.push(value).map_err(|problem| DataError::Line {
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
        Ok(Some(RecordBatch::try_new(text_schema(&self.columns), arrays)?))
    }
}
