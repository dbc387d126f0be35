//! Columns of moments.

use arrow::array::{Array, ArrayRef, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit as ArrowUnit};
use chrono::DateTime;

use super::Values;
use super::moment::{SECOND, TimeUnit, moment_of, write};
use super::token::is_null_token;

/// A column's moments, in nanoseconds since 1970; none where one is missing.
#[derive(Debug, Default)]
pub struct Moments {
    /// One a row.
    pub values: Vec<Option<i64>>,
    /// The unit of the numbers among them, where there are some.
    pub unit: Option<TimeUnit>,
}

impl Moments {
    /// Reads a column, its whole numbers in `unit`, or in the one that their size tells.
    ///
    /// # Errors
    /// The row and what is wrong with it: text that is no moment, one that 64 bits cannot hold, numbers of two units.
    pub fn of(array: &ArrayRef, unit: Option<TimeUnit>) -> Result<Self, (usize, String)> {
        let instants = matches!(array.data_type(), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
        if instants {
            return stored(array);
        }
        let values = Values::of(array).map_err(|t| (0, format!("is {}, which is no time", t.0)))?;
        let mut moments = Self { values: Vec::with_capacity(values.len()), unit };
        for row in 0..values.len() {
            let Some(text) = values.text(row).filter(|t| !is_null_token(t)) else {
                moments.values.push(None);
                continue;
            };
            let (moment, own) = moment_of(&text, unit).ok_or_else(|| (row, no_time(&text)))?;
            match (moments.unit, own) {
                (Some(first), Some(own)) if first != own && text != "0" => {
                    return Err((row, mixed(&text, first, own)));
                }
                (None, Some(own)) if text != "0" => moments.unit = Some(own),
                _ => {}
            }
            moments.values.push(Some(moment));
        }
        Ok(moments)
    }
}

/// What is said of numbers of two units in one column.
pub(crate) fn mixed(text: &str, first: TimeUnit, own: TimeUnit) -> String {
    format!(
        "`{text}` counts {} by its size, and others of the column count {}; set data.time_unit = \"{}\" if all do",
        own.name(),
        first.name(),
        own.name()
    )
}

fn no_time(text: &str) -> String {
    format!(
        "`{text}` is not a time; write unix seconds (or milli-, micro-, nanoseconds), a date such as 2024-03-01, or ISO 8601 such as 2024-03-01T05:00:00Z"
    )
}

/// Columns of dates and timestamps: a type without a zone is in UTC.
fn stored(array: &ArrayRef) -> Result<Moments, (usize, String)> {
    let failed =
        |row: usize| (row, "is a time that 64 bits of nanoseconds cannot hold (years 1678 to 2261 can)".into());
    let unit = match array.data_type() {
        DataType::Timestamp(unit, _) => *unit,
        _ => ArrowUnit::Millisecond,
    };
    let per_unit = match unit {
        ArrowUnit::Second => SECOND,
        ArrowUnit::Millisecond => 1_000_000,
        ArrowUnit::Microsecond => 1_000,
        ArrowUnit::Nanosecond => 1,
    };
    let plain = cast(array, &DataType::Timestamp(unit, None)).and_then(|a| cast(&a, &DataType::Int64));
    let counts = Int64Array::from(plain.map_err(|_| failed(0))?.to_data());
    let moment = |(row, count): (usize, Option<i64>)| match count {
        None => Ok(None),
        Some(count) => count.checked_mul(per_unit).map(Some).ok_or_else(|| failed(row)),
    };
    Ok(Moments { values: counts.iter().enumerate().map(moment).collect::<Result<_, _>>()?, unit: None })
}

/// Columns of dates and timestamps as text.
pub(super) fn texts(array: &ArrayRef) -> Option<StringArray> {
    let unit = match array.data_type() {
        DataType::Timestamp(unit, _) => *unit,
        _ => ArrowUnit::Millisecond,
    };
    let plain = cast(array, &DataType::Timestamp(unit, None)).and_then(|a| cast(&a, &DataType::Int64)).ok()?;
    let counts = Int64Array::from(plain.to_data());
    let moment = |count: i64| match unit {
        ArrowUnit::Second => DateTime::from_timestamp(count, 0),
        ArrowUnit::Millisecond => DateTime::from_timestamp_millis(count),
        ArrowUnit::Microsecond => DateTime::from_timestamp_micros(count),
        ArrowUnit::Nanosecond => Some(DateTime::from_timestamp_nanos(count)),
    };
    // A count that no calendar holds is the number that it is.
    let text = |count: i64| moment(count).map_or_else(|| count.to_string(), write);
    Some(counts.iter().map(|c| c.map(text)).collect())
}
