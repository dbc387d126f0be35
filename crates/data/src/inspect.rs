//! What is in a file: columns, types, missing values, distinct values, ranges.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::config::{FormatKind, TextConfig};
use crate::error::DataError;
use crate::formats::{Reads, kind_at, open_path, width};
use crate::value::{Values, is_null_token};

/// Distinct values are counted up to here.
const DISTINCT_LIMIT: usize = 1_000_000;

/// What is in one column.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnFacts {
    /// Its name.
    pub name: String,
    /// Its Arrow type.
    pub data_type: String,
    /// Rows without a value.
    pub missing: u64,
    /// Distinct values, counted up to a million.
    pub distinct: usize,
    /// Smallest and largest value where all are numbers.
    pub range: Option<(f64, f64)>,
    /// A value.
    pub example: String,
}

/// Looks through a file or folder.
///
/// # Errors
/// Whatever opening or reading it refuses.
pub fn inspect(path: &Path, how: &Reads) -> Result<(u64, Vec<ColumnFacts>), DataError> {
    let source = open_path(path, how)?;
    let names: Vec<String> = source.columns().iter().map(|c| c.name.clone()).collect();
    let mut columns: Vec<Tally> = source.columns().iter().map(|c| Tally::new(&c.name, &c.data_type)).collect();
    let mut rows = 0;
    for batch in source.stream(&names)? {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        for (tally, array) in columns.iter_mut().zip(batch.columns()) {
            tally.add(array);
        }
    }
    Ok((rows, columns.into_iter().map(Tally::facts).collect()))
}

/// How a text file without a header is read: its columns are called c1, c2 and so on.
///
/// # Errors
/// Whatever opening it refuses.
pub fn without_header(path: &Path, format: Option<FormatKind>, text: TextConfig) -> Result<TextConfig, DataError> {
    let names = (1..=width(path, format, &text)?).map(|n| format!("c{n}")).collect();
    Ok(TextConfig { names: Some(names), ..text })
}

/// Bytes of a file that its delimiter is told by.
const HEAD: u64 = 64 << 10;

/// The delimiter of a CSV file whose first line has no comma but another one; none where nothing has to be said.
pub fn delimiter(path: &Path, format: Option<FormatKind>) -> Option<String> {
    const OTHERS: [char; 3] = [';', '\t', '|'];
    if format.or_else(|| kind_at(path)) != Some(FormatKind::Csv) || !path.is_file() {
        return None;
    }
    let mut head = Vec::new();
    let read = crate::open_text(path).ok()?.take(HEAD).read_to_end(&mut head);
    let text = String::from_utf8_lossy(&head);
    let first = text.lines().next().filter(|line| read.is_ok() && !line.contains(','))?;
    let most = OTHERS.into_iter().max_by_key(|c| first.matches(*c).count())?;
    first.contains(most).then(|| most.to_string())
}

struct Tally {
    facts: ColumnFacts,
    seen: HashSet<u64>,
    numeric: bool,
}

impl Tally {
    fn new(name: &str, data_type: &DataType) -> Self {
        let facts = ColumnFacts {
            name: name.to_string(),
            data_type: data_type.to_string(),
            missing: 0,
            distinct: 0,
            range: None,
            example: String::new(),
        };
        Self { facts, seen: HashSet::new(), numeric: true }
    }

    fn add(&mut self, array: &ArrayRef) {
        // Lists and structures are counted, and not looked into.
        let Ok(values) = Values::of(array) else {
            self.facts.missing += array.logical_null_count() as u64;
            self.numeric = false;
            return;
        };
        let moments = matches!(array.data_type(), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
        self.numeric &= !moments && *array.data_type() != DataType::Boolean;
        for row in 0..values.len() {
            let Some(value) = values.text(row) else {
                self.facts.missing += 1;
                continue;
            };
            if self.seen.len() < DISTINCT_LIMIT {
                self.seen.insert(xxh3_64(value.as_bytes()));
            }
            if self.facts.example.is_empty() {
                self.facts.example = value.to_string();
            }
            match self.numeric.then(|| value.parse::<f64>()) {
                Some(Ok(x)) => {
                    let (low, high) = self.facts.range.unwrap_or((x, x));
                    self.facts.range = Some((low.min(x), high.max(x)));
                }
                Some(Err(_)) => self.numeric = is_null_token(&value),
                None => {}
            }
        }
    }

    fn facts(self) -> ColumnFacts {
        let range = self.facts.range.filter(|_| self.numeric);
        ColumnFacts { distinct: self.seen.len(), range, ..self.facts }
    }
}
