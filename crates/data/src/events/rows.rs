//! Lines of JSON as rows; lines that are none are put aside.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::DataType;

use super::line::{LONGEST, Line};
use crate::clock::Clock;
use crate::error::DataError;
use crate::formats::{Builder, Hints, Object, list_of_text, text_schema};
use crate::source::{Column, Location, RowStream, Source, chunks, pack};
use crate::value::TimeUnit;

/// A line that could not be learned from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The line.
    pub line: Line,
    /// What is wrong with it.
    pub reason: String,
}

/// Rows of lines.
#[derive(Debug)]
pub struct Parsed {
    /// The rows, each with its line's number as its place.
    pub rows: RecordBatch,
    /// Their lines, in the same order.
    pub lines: Vec<Line>,
    /// Lines that hold no such row.
    pub rejected: Vec<Rejected>,
}

/// What lines are read as; a source whose rows come by other ways than [`Source::stream`].
pub struct Events {
    path: PathBuf,
    columns: Vec<Column>,
    /// Whether each key may hold a list.
    lists: Vec<bool>,
    clock: Clock,
}

impl Events {
    /// Events with these keys; a key that a line lacks is a missing value. Those among `lists` may hold an array.
    pub fn new(path: &Path, keys: &[String], lists: &[String], time_unit: Option<TimeUnit>) -> Self {
        let lists = keys.iter().map(|key| lists.contains(key)).collect();
        let columns = keys.iter().map(|key| Column::new(key, DataType::Utf8)).collect();
        Self { path: path.to_path_buf(), columns, lists, clock: Clock::new(time_unit, Vec::new()) }
    }

    /// Reads lines.
    ///
    /// # Errors
    /// None that is of a line: those are put aside.
    pub fn parse(&self, lines: Vec<Line>) -> Result<Parsed, DataError> {
        let mut bad: Vec<(u64, String)> = Vec::new();
        let mut hints = Hints::default();
        let mut found: Vec<(Vec<Option<&str>>, &Line)> = Vec::with_capacity(lines.len());
        for line in &lines {
            match object(line) {
                Ok(object) => {
                    let mut values = Vec::with_capacity(self.columns.len());
                    hints.values(&object, &self.columns, &mut values);
                    found.push((values, line));
                }
                Err(reason) => bad.push((line.number, reason)),
            }
        }
        let mut columns = self.columns.clone();
        // A key of arrays on every line that has it is a list. Where some lines have text, arrays are text too: it is read as a list.
        let mut as_text = vec![false; columns.len()];
        for (place, column) in columns.iter_mut().enumerate().filter(|(place, _)| self.lists[*place]) {
            let mut all = found.iter().filter_map(|(values, _)| values[place]).map(|raw| raw.starts_with('['));
            let arrays = all.clone().filter(|array| *array).count();
            match arrays > 0 && all.all(|array| array) {
                true => column.data_type = list_of_text(),
                false => as_text[place] = arrays > 0,
            }
        }
        let written: Vec<Vec<(usize, String)>> = found
            .iter()
            .map(|(values, _)| {
                let array = |place: &usize| as_text[*place] && values[*place].is_some_and(|raw| raw.starts_with('['));
                let text = |place: usize| {
                    (place, serde_json::to_string(values[place].unwrap_or_default()).unwrap_or_default())
                };
                if as_text.contains(&true) { (0..values.len()).filter(array).map(text).collect() } else { Vec::new() }
            })
            .collect();
        for ((values, _), written) in found.iter_mut().zip(&written) {
            written.iter().for_each(|(place, text)| values[*place] = Some(text));
        }
        let fits = |values: &[Option<&str>]| {
            columns.iter().zip(values).find_map(|(column, value)| {
                let problem = Builder::of(column).push(*value).err()?;
                Some(format!("key `{}` {problem}", column.name))
            })
        };
        let mut builders: Vec<Builder> = columns.iter().map(Builder::of).collect();
        let mut places = Vec::with_capacity(found.len());
        for (values, line) in &found {
            // Half a row must not be pushed; most rows are whole.
            if !columns.iter().zip(values).all(|(column, value)| is_plain(column, *value))
                && let Some(reason) = fits(values)
            {
                bad.push((line.number, reason));
                continue;
            }
            for ((builder, column), value) in builders.iter_mut().zip(&columns).zip(values) {
                builder.push(*value).map_err(|problem| DataError::Line {
                    path: self.path.clone(),
                    line: line.number,
                    problem: format!("key `{}` {problem}", column.name),
                })?;
            }
            places.push(pack(0, line.number));
        }
        drop(found);
        let mut arrays: Vec<ArrayRef> = builders.iter_mut().map(Builder::finish).collect();
        arrays.push(Arc::new(UInt64Array::from(places)));
        let rows = RecordBatch::try_new(text_schema(&columns), arrays)?;
        let mut rejected = Vec::with_capacity(bad.len());
        let mut kept = Vec::with_capacity(lines.len());
        for line in lines {
            match bad.iter().position(|(number, _)| *number == line.number) {
                Some(at) => rejected.push(Rejected { line, reason: bad.swap_remove(at).1 }),
                None => kept.push(line),
            }
        }
        Ok(Parsed { rows, lines: kept, rejected })
    }
}

/// Whether a value surely fits a column: text without escapes, a truth, a plain number, in columns of one value.
fn is_plain(column: &Column, value: Option<&str>) -> bool {
    let Some(bytes) = value.map(str::as_bytes) else { return true };
    let quoted = bytes[0] == b'"' && !bytes.contains(&b'\\');
    column.data_type == DataType::Utf8
        && (quoted || matches!(bytes[0], b't' | b'f') || bytes.iter().all(u8::is_ascii_digit))
}

fn object(line: &Line) -> Result<Object<'_>, String> {
    if line.is_cut {
        return Err(format!("is longer than {LONGEST} bytes"));
    }
    if line.text.is_empty() {
        return Err("is empty; of a stream of Redis, --field names the field that holds the event".into());
    }
    let text = std::str::from_utf8(&line.text).map_err(|_| "is not UTF-8".to_string())?;
    serde_json::from_str(text).map_err(|e| format!("is no JSON object at column {} ({e})", e.column()))
}

impl Source for Events {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn stream(&self, _columns: &[String]) -> Result<RowStream, DataError> {
        Ok(chunks(|| Ok(None)))
    }

    fn locate(&self, position: u64) -> Location {
        Location { path: self.path.clone(), number: position, is_line: true }
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_rows_are_put_aside_and_the_others_stay() {
        let texts = [
            r#"{"a": 7.0, "tags": ["x", 1], "more": {}}"#,
            r#"{"a": "7""#,
            "[1]",
            r#"{"tags": []}"#,
            r#"{"a": {"b": 1}}"#,
            r#"{"a": null, "tags": 3}"#,
            r#"{"a": "\u0041"}"#,
        ];
        let line = |(number, text): (u64, &&str)| Line {
            number,
            start: 0,
            end: 0,
            entry: None,
            text: text.as_bytes().to_vec(),
            is_cut: false,
        };
        let events = Events::new(Path::new("e"), &["a".into(), "tags".into()], &["tags".into()], None);
        let parsed = events.parse((1..).zip(&texts).map(line).collect()).unwrap();
        assert_eq!(parsed.lines.iter().map(|l| l.number).collect::<Vec<_>>(), [1, 4, 6, 7]);
        assert_eq!(parsed.rejected.iter().map(|r| r.line.number).collect::<Vec<_>>(), [2, 3, 5]);
        assert!(parsed.rejected[2].reason.contains("`a`"));
        assert_eq!(parsed.rows.num_rows(), 4);
        assert_eq!(crate::source::positions(&parsed.rows), [1, 4, 6, 7]);
        let tags = crate::value::Values::of(parsed.rows.column(1)).unwrap();
        let items = |row: usize| crate::value::cell_items(&tags.text(row).unwrap(), " ").unwrap().len();
        assert_eq!((items(0), items(1), items(2)), (2, 0, 1));
        let a = crate::value::Values::of(parsed.rows.column(0)).unwrap();
        assert_eq!((a.text(0).as_deref(), a.text(1), a.text(3).as_deref()), (Some("7"), None, Some("A")));
    }
}
