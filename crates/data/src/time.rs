//! Times of rows.

use arrow::array::RecordBatch;

use crate::error::DataError;
use crate::source::{Source, positions};
use crate::value::{Moments, Values, mixed};

/// A time column as nanoseconds since 1970.
///
/// # Errors
/// Missing values, text that is no time, and numbers of two units, with the row's place.
pub fn time_values(batch: &RecordBatch, column: &str, source: &dyn Source) -> Result<Vec<i64>, DataError> {
    let missing = "is missing; a time is needed on every row (unix seconds, a timestamp, or ISO 8601)";
    let failed = |row: usize, problem: String| value_error(batch, column, source, row, problem);
    times(batch, column, source)?
        .into_iter()
        .enumerate()
        .map(|(row, time)| time.ok_or_else(|| failed(row, missing.into())))
        .collect()
}

/// A time column as nanoseconds since 1970, none where one is missing.
///
/// # Errors
/// Text that is no time, and numbers of two units, with the row's place.
pub fn times(batch: &RecordBatch, column: &str, source: &dyn Source) -> Result<Vec<Option<i64>>, DataError> {
    let array = batch.column(batch.schema().index_of(column)?);
    let clock = source.clock();
    let failed = |(row, problem): (usize, String)| value_error(batch, column, source, row, problem);
    let moments = Moments::of(array, clock.forced(column, array)).map_err(failed)?;
    if let Some(unit) = moments.unit {
        let first = moments.values.iter().position(Option::is_some).unwrap_or(0);
        let text = || Values::of(array).ok().and_then(|v| v.text(first).map(|t| t.into_owned())).unwrap_or_default();
        clock.note(column, unit, source.path()).map_err(|known| failed((first, mixed(&text(), known, unit))))?;
    }
    Ok(moments.values)
}

fn value_error(batch: &RecordBatch, column: &str, source: &dyn Source, row: usize, problem: String) -> DataError {
    DataError::Value {
        location: source.locate(positions(batch).get(row).copied().unwrap_or_default()).to_string(),
        column: column.to_string(),
        problem,
    }
}

/// A moment as text: ISO 8601 in UTC.
pub fn time_text(nanoseconds: i64) -> String {
    crate::value::write_moment(nanoseconds)
}
