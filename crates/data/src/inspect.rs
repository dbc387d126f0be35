//! What is in a file: columns, types, missing values, distinct values, ranges.

use std::collections::HashSet;
use std::path::Path;

use arrow::array::{Array, Float64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::config::{FormatKind, TextConfig};
use crate::error::DataError;
use crate::formats::open_path;

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
pub fn inspect(
    path: &Path,
    format: Option<FormatKind>,
    text: &TextConfig,
) -> Result<(u64, Vec<ColumnFacts>), DataError> {
    let source = open_path(path, format, text)?;
    let names: Vec<String> = source.columns().iter().map(|c| c.name.clone()).collect();
    let mut columns: Vec<Tally> = source.columns().iter().map(|c| Tally::new(&c.name, &c.data_type)).collect();
    let mut rows = 0;
    for batch in source.stream(&names)? {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        for (tally, array) in columns.iter_mut().zip(batch.columns()) {
            tally.add(array)?;
        }
    }
    Ok((rows, columns.into_iter().map(Tally::facts).collect()))
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

    fn add(&mut self, array: &dyn Array) -> Result<(), DataError> {
        self.facts.missing += array.null_count() as u64;
        let array = match array.data_type() {
            DataType::List(_) => {
                self.numeric = false;
                return Ok(());
            }
            _ => cast(array, &DataType::Utf8)?,
        };
        let text = StringArray::from(array.to_data());
        for value in text.iter().flatten() {
            if self.seen.len() < DISTINCT_LIMIT {
                self.seen.insert(xxh3_64(value.as_bytes()));
            }
            if self.facts.example.is_empty() {
                self.facts.example = value.to_string();
            }
        }
        if self.numeric {
            let numbers = Float64Array::from(cast(&text, &DataType::Float64)?.to_data());
            self.numeric = numbers.null_count() == text.null_count();
            for x in numbers.iter().flatten() {
                let (low, high) = self.facts.range.unwrap_or((x, x));
                self.facts.range = Some((low.min(x), high.max(x)));
            }
        }
        Ok(())
    }

    fn facts(self) -> ColumnFacts {
        let range = self.facts.range.filter(|_| self.numeric);
        ColumnFacts { distinct: self.seen.len(), range, ..self.facts }
    }
}
