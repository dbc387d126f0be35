//! Where a log is cut: into windows of one length, counted from 1970.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::RecordBatch;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::DataError;
use crate::source::POSITION;
use crate::time::time_text;
use crate::value::{Values, lists};
use crate::windows::Length;

/// Windows that a log may have.
const MOST: usize = 1_000_000;

/// A stretch of time, half open, and its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first moment, in nanoseconds since 1970.
    pub from: i64,
    /// The first moment behind it.
    pub to: i64,
    /// Rows in it.
    pub rows: u64,
    /// A sum over what its rows hold, whatever format they are in.
    pub sum: u64,
}

/// How a log is cut.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// The length of a window.
    pub length: Length,
    /// Rows of this moment or later are a mistake of the log, in nanoseconds since 1970.
    pub future: i64,
}

impl Cut {
    /// Into windows of a length; times more than a day ahead of this machine's clock are refused.
    pub fn new(length: Length) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let future = i64::try_from(now).unwrap_or(i64::MAX).saturating_add(Length::DAY.nanoseconds());
        Self { length, future }
    }

    pub(crate) fn check(&self, moment: i64, column: &str, place: impl Fn() -> String) -> Result<(), DataError> {
        if moment < self.future {
            return Ok(());
        }
        Err(DataError::Value {
            location: place(),
            column: column.to_string(),
            problem: format!(
                "is {}, more than a day ahead of this machine's clock; mend the row, or say what the numbers count with data.time_unit",
                time_text(moment)
            ),
        })
    }

    pub(crate) fn counter(&self) -> Counter {
        Counter { length: self.length.nanoseconds(), rows: BTreeMap::new() }
    }
}

/// Counts the rows of windows, and sums what they hold.
pub(crate) struct Counter {
    length: i64,
    rows: BTreeMap<i64, (u64, u64)>,
}

impl Counter {
    /// Counts rows that have these times.
    pub(crate) fn count(&mut self, times: impl Iterator<Item = i64>) {
        times.for_each(|time| self.rows.entry(time.div_euclid(self.length)).or_insert((0, 0)).0 += 1);
    }

    /// Adds rows that have these times.
    pub(crate) fn add(&mut self, times: &[i64], batch: &RecordBatch) {
        let sums = sums(batch);
        for (time, sum) in times.iter().zip(sums) {
            let window = self.rows.entry(time.div_euclid(self.length)).or_insert((0, 0));
            *window = (window.0 + 1, window.1.wrapping_add(sum));
        }
    }

    pub(crate) fn found(self, path: &Path, column: &str) -> Result<Vec<Stretch>, DataError> {
        if self.rows.len() > MOST {
            return Err(DataError::Setting {
                key: "window".into(),
                problem: format!(
                    "cuts `{column}` of {} into {} windows with rows, more than {MOST}; take a longer one, or say what the numbers count with data.time_unit",
                    path.display(),
                    self.rows.len()
                ),
            });
        }
        let of = |(number, (rows, sum)): (i64, (u64, u64))| {
            let from = number.saturating_mul(self.length);
            Stretch { from, to: from.saturating_add(self.length), rows, sum }
        };
        Ok(self.rows.into_iter().map(of).collect())
    }
}

/// A hash of each row: of the text of its values, so that the same values in another format have the same.
fn sums(batch: &RecordBatch) -> Vec<u64> {
    let mut sums = vec![0u64; batch.num_rows()];
    let mix = |sum: &mut u64, text: Option<&str>, place: u64| {
        let own = text.map_or(1, |text| xxh3_64_with_seed(text.as_bytes(), place));
        *sum = (sum.rotate_left(5) ^ own).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    };
    for (place, field) in batch.schema().fields().iter().enumerate().filter(|(_, field)| field.name() != POSITION) {
        let (array, place) = (batch.column(place), xxh3_64_with_seed(field.name().as_bytes(), 0));
        if let Ok(Some((values, offsets))) = lists(array) {
            for (sum, span) in sums.iter_mut().zip(offsets.windows(2)) {
                (span[0]..span[1]).for_each(|at| mix(sum, values.text(at as usize).as_deref(), place));
                mix(sum, None, place);
            }
        } else if let Ok(values) = Values::of(array) {
            sums.iter_mut().enumerate().for_each(|(row, sum)| mix(sum, values.text(row).as_deref(), place));
        }
    }
    sums
}
