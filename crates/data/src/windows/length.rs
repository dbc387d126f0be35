//! Lengths of time as people write them.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Units, the largest first: name and nanoseconds.
const UNITS: [(&str, i64); 6] = [
    ("w", 7 * 86_400_000_000_000),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// A length of time: `"1d"`, `"6h"`, `"30m"`, `"90s"`, `"2w"`, `"500ms"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Length {
    nanoseconds: i64,
}

impl Length {
    /// A day.
    pub const DAY: Self = Self { nanoseconds: UNITS[1].1 };

    /// Its nanoseconds, above 0.
    pub fn nanoseconds(self) -> i64 {
        self.nanoseconds
    }

    /// Its seconds.
    pub fn seconds(self) -> f64 {
        self.nanoseconds as f64 / 1e9
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, and how lengths look.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("\"{text}\" is no length of time; write it as \"1d\", \"6h\", \"30m\", \"90s\" or \"2w\"");
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?;
        let nanoseconds = number.parse::<i64>().ok().and_then(|n| n.checked_mul(*unit)).filter(|n| *n > 0);
        Ok(Self { nanoseconds: nanoseconds.ok_or_else(wrong)? })
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The largest unit but weeks that it is a whole number of: 7d reads better than 1w.
        let whole = UNITS.iter().skip(1).find(|(_, unit)| self.nanoseconds % unit == 0);
        let (name, unit) = whole.unwrap_or(&UNITS[5]);
        write!(f, "{}{name}", self.nanoseconds / unit)
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Length {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Length".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(w|d|h|m|s|ms)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_they_are_written_and_nonsense_is_refused() {
        for (text, seconds) in [("1d", 86_400.0), ("6h", 21_600.0), ("90s", 90.0), ("2w", 1_209_600.0), ("500ms", 0.5)]
        {
            let length = Length::parse(text).unwrap();
            assert_eq!(length.seconds(), seconds);
            assert_eq!(Length::parse(&length.to_string()), Ok(length));
        }
        for text in ["", "d", "0d", "-1d", "1.5d", "1y", "1 fortnight", "99999999999999w"] {
            assert!(Length::parse(text).is_err(), "{text}");
        }
        assert_eq!(Length::parse("1w").unwrap().to_string(), "7d");
    }
}
