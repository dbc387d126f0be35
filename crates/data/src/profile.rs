//! What the first rows of a file hold, closely enough to guess what its columns mean.

use std::collections::HashMap;
use std::path::Path;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;

use crate::error::DataError;
use crate::formats::{Reads, open_path};
use crate::source::Typed;
use crate::value::{Moments, Values, is_null_token, lists};

/// Rows that are looked at, at most: the first.
pub const LOOKED_AT: usize = 500_000;

/// A file's columns over the same rows.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Rows that were looked at.
    pub rows: usize,
    /// Whether the file has more.
    pub more: bool,
    /// The columns, in order.
    pub columns: Vec<ColumnProfile>,
}

/// A column.
#[derive(Clone, Debug, Default)]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// The number of each row's value, in the order in which values were first seen, from 1; 0 where it is missing. Empty for
    /// columns of lists.
    pub codes: Vec<u32>,
    /// The values by their number.
    pub values: Vec<String>,
    /// How often each value stands.
    pub counts: Vec<u32>,
    /// The values as numbers, where all are; NaN where they are missing.
    pub numbers: Option<Vec<f64>>,
    /// Whether they all are whole numbers.
    pub whole: bool,
    /// The values as moments, in nanoseconds since 1970, where the column's type or its text says that they are.
    pub moments: Option<Vec<Option<i64>>>,
    /// Whether its type is that of moments, or its text is ISO 8601.
    pub written_as_moments: bool,
    /// Whether it holds lists.
    pub lists: bool,
    /// What a typed header says of it.
    pub typed: Option<Typed>,
}

/// Looks at the first rows of a file or folder.
///
/// # Errors
/// Whatever opening or reading it refuses.
pub fn profile(path: &Path, how: &Reads) -> Result<Profile, DataError> {
    let source = open_path(path, how)?;
    let names: Vec<String> = source.columns().iter().map(|c| c.name.clone()).collect();
    let mut columns: Vec<Looked> = source.columns().iter().map(|c| Looked::new(&c.name, c.typed)).collect();
    let (mut rows, mut more) = (0, false);
    for batch in source.stream(&names)? {
        let batch = batch?;
        if rows >= LOOKED_AT {
            more = batch.num_rows() > 0;
            break;
        }
        rows += batch.num_rows();
        columns.iter_mut().zip(batch.columns()).for_each(|(column, array)| column.add(array));
    }
    Ok(Profile { rows, more, columns: columns.into_iter().map(Looked::finish).collect() })
}

/// A column that is being looked at.
struct Looked {
    known: HashMap<String, u32>,
    found: ColumnProfile,
    typed: bool,
    numbers: Vec<f64>,
    all_numbers: bool,
    moments: Vec<Option<i64>>,
    all_moments: bool,
}

impl Looked {
    fn new(name: &str, typed: Option<Typed>) -> Self {
        let found = ColumnProfile { name: name.into(), whole: true, typed, ..ColumnProfile::default() };
        Self {
            known: HashMap::new(),
            found,
            typed: false,
            numbers: Vec::new(),
            all_numbers: true,
            moments: Vec::new(),
            all_moments: true,
        }
    }

    fn add(&mut self, array: &ArrayRef) {
        if self.found.lists || !matches!(lists(array), Ok(None)) {
            self.found.lists = true;
            return;
        }
        self.typed |= matches!(array.data_type(), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
        match Moments::of(array, None) {
            Ok(moments) if self.all_moments => self.moments.extend(moments.values),
            _ => self.all_moments = false,
        }
        let Ok(values) = Values::of(array) else {
            self.found.lists = true;
            return;
        };
        for row in 0..values.len() {
            let Some(text) = values.text(row) else {
                self.found.codes.push(0);
                self.numbers.push(f64::NAN);
                continue;
            };
            match self.all_numbers.then(|| text.parse::<f64>()) {
                Some(Ok(x)) if x.is_finite() => {
                    self.numbers.push(x);
                    self.found.whole &= x.fract() == 0.0;
                }
                Some(_) if is_null_token(&text) => self.numbers.push(f64::NAN),
                _ => self.all_numbers = false,
            }
            let code = match self.known.get(&*text) {
                Some(code) => *code,
                None => {
                    self.found.values.push(text.to_string());
                    self.found.counts.push(0);
                    let code = self.found.values.len() as u32;
                    self.known.insert(text.into_owned(), code);
                    code
                }
            };
            self.found.counts[code as usize - 1] += 1;
            self.found.codes.push(code);
        }
    }

    fn finish(self) -> ColumnProfile {
        let mut found = self.found;
        let some = !found.values.is_empty();
        found.written_as_moments = some && self.all_moments && (self.typed || !self.all_numbers);
        found.numbers = (some && self.all_numbers && !self.typed).then_some(self.numbers);
        found.whole &= found.numbers.is_some();
        found.moments = (some && self.all_moments).then_some(self.moments);
        if found.lists {
            found.codes.clear();
        }
        found
    }
}

impl ColumnProfile {
    /// Rows without a value.
    pub fn missing(&self) -> usize {
        self.codes.iter().filter(|code| **code == 0).count()
    }

    /// Values that are not the same.
    pub fn distinct(&self) -> usize {
        self.values.len()
    }

    /// The smallest and the largest number.
    pub fn range(&self) -> Option<(f64, f64)> {
        let numbers = self.numbers.as_ref()?;
        let known = numbers.iter().copied().filter(|x| !x.is_nan());
        known.fold(None, |ends, x| Some(ends.map_or((x, x), |(low, high): (f64, f64)| (low.min(x), high.max(x)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_known_by_their_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let text = "user,price,day,clicked,note\nu1,1.5,2024-03-01,1,a\nu2,,2024-03-02,0,b\nu1,2,2024-03-03,0,\n";
        std::fs::write(&path, text).unwrap();
        let found = profile(&path, &Reads::default()).unwrap();
        let of = |name: &str| found.columns.iter().find(|c| c.name == name).unwrap();
        assert_eq!((found.rows, found.more), (3, false));
        assert_eq!((of("user").codes.clone(), of("user").counts.clone()), (vec![1, 2, 1], vec![2, 1]));
        assert_eq!((of("price").range(), of("price").whole, of("price").missing()), (Some((1.5, 2.0)), false, 1));
        assert!(of("day").written_as_moments && of("day").numbers.is_none());
        assert!(of("clicked").whole && !of("clicked").written_as_moments);
        assert!(of("note").numbers.is_none() && of("note").missing() == 1);
    }
}
