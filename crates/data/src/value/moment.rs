//! Moments: nanoseconds since 1970 in UTC.

use arrow::compute::kernels::cast_utils::string_to_datetime;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) const SECOND: i64 = 1_000_000_000;

/// What whole numbers of a time column count since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
    /// No count: days as `20240305`.
    Dates,
}

impl TimeUnit {
    /// The unit that a number of this size is in: as seconds it would lie behind the year 2255.
    fn of(size: u64) -> Self {
        const LATEST: u64 = 9_000_000_000;
        match size {
            0..LATEST => Self::Seconds,
            LATEST..9_000_000_000_000 => Self::Milliseconds,
            9_000_000_000_000..9_000_000_000_000_000 => Self::Microseconds,
            _ => Self::Nanoseconds,
        }
    }

    fn nanoseconds(self) -> i64 {
        match self {
            Self::Seconds | Self::Dates => SECOND,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
            Self::Dates => "dates",
        }
    }
}

/// The moment that text says, and the unit where it is a number.
pub fn moment_of(text: &str, unit: Option<TimeUnit>) -> Option<(i64, Option<TimeUnit>)> {
    let text = text.trim();
    if unit == Some(TimeUnit::Dates) {
        return day(text).or_else(|| instant(text).and_then(|t| t.timestamp_nanos_opt())).map(|m| (m, unit));
    }
    if let Some((whole, fraction)) = decimal(text) {
        let unit = unit.unwrap_or_else(|| TimeUnit::of(whole.unsigned_abs()));
        let per_unit = unit.nanoseconds();
        // Digits behind the point, to a nanosecond.
        let rest = (fraction * per_unit as f64).round() as i64;
        let rest = if text.starts_with('-') { -rest } else { rest };
        return Some((whole.checked_mul(per_unit)?.checked_add(rest)?, Some(unit)));
    }
    Some((instant(text)?.timestamp_nanos_opt()?, None))
}

/// The whole part of a decimal and its fraction; exponents are read as floats are.
fn decimal(text: &str) -> Option<(i64, f64)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if let Ok(whole) = whole.parse::<i64>()
        && digits(fraction)
    {
        return Some((whole, format!("0.{fraction}0").parse().ok()?));
    }
    let x = text.parse::<f64>().ok().filter(|x| x.abs() < i64::MAX as f64)?;
    Some((x.trunc() as i64, x.fract().abs()))
}

/// `20240305` as the day that it is.
fn day(text: &str) -> Option<i64> {
    let number: i32 = (text.len() == 8).then(|| text.parse().ok()).flatten()?;
    let day = NaiveDate::from_ymd_opt(number / 10_000, number as u32 / 100 % 100, number as u32 % 100)?;
    day.and_time(NaiveTime::MIN).and_utc().timestamp_nanos_opt()
}

/// Whether text of 8 digits is a day of these times, as folders of partitions are named.
pub(crate) fn is_day(text: &str) -> bool {
    text.starts_with(['1', '2']) && day(text).is_some_and(|t| (0..4_200_000_000 * SECOND).contains(&t))
}

/// Whether text has the form of a date and a time behind it; a date alone stays as it is.
pub(super) fn looks_like_one(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 16
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b'T' | b't' | b' ')
        && bytes[13] == b':'
}

/// The moment of text in ISO 8601, in UTC where it names no zone; or as `11/15/2019 8:55:22 AM`, which MIND's logs have: month
/// before day, told by the half of the day behind it.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let bytes = text.as_bytes();
    if bytes.ends_with(b" AM") || bytes.ends_with(b" PM") {
        let halves = NaiveDateTime::parse_from_str(text, "%m/%d/%Y %I:%M:%S %p");
        return halves.ok().map(|moment| moment.and_utc());
    }
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    // pandas and Spark write " UTC" for what others write as "Z".
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    string_to_datetime(&Utc, text).ok().or_else(|| {
        // Without seconds.
        let (minutes, rest) = text.split_at_checked(16)?;
        let zone = rest.is_empty() || rest.starts_with(['Z', 'z', '+', '-']);
        string_to_datetime(&Utc, &format!("{minutes}:00{rest}")).ok().filter(|_| zone)
    })
}

/// Seconds since 1970 of text in ISO 8601.
pub(super) fn seconds(text: &str) -> Option<f64> {
    instant(text).map(|t| t.timestamp() as f64 + f64::from(t.nanosecond()) * 1e-9)
}

/// Text in ISO 8601 as all of its moment are written.
pub(super) fn written(text: &str) -> Option<String> {
    instant(text).map(write)
}

/// A moment as text.
pub(crate) fn write_moment(nanoseconds: i64) -> String {
    write(DateTime::from_timestamp_nanos(nanoseconds))
}

pub(super) fn write(moment: DateTime<Utc>) -> String {
    let seconds = if moment.time() == NaiveTime::MIN { "%Y-%m-%d" } else { "%Y-%m-%dT%H:%M:%S" };
    let mut text = moment.format(seconds).to_string();
    let nanoseconds = moment.nanosecond();
    if nanoseconds > 0 {
        let digits = format!("{nanoseconds:09}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
    text
}
