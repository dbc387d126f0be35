//! A line of a stream, and where it stands there.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes of a line, at most.
pub(super) const LONGEST: u64 = 1 << 24;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the stream, from 1.
    pub number: u64,
    /// Its first byte's place in the stream.
    pub start: u64,
    /// The place behind it.
    pub end: u64,
    /// Its name in a stream of Redis; none elsewhere.
    pub entry: Option<Entry>,
    /// What it holds, without its end.
    pub text: Vec<u8>,
    /// Whether it is too long, and `text` only its beginning.
    pub is_cut: bool,
}

/// The name that Redis gives to an entry of a stream: a time in milliseconds, and a number among those of that time. Entries
/// stand in the order of their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Entry {
    /// Milliseconds since 1970, as the server's clock had it.
    pub time: u64,
    /// The number.
    pub number: u64,
}

/// How far a stream was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes of it.
    pub bytes: u64,
    /// Lines of it.
    pub lines: u64,
    /// The last entry of a stream of Redis.
    pub entry: Entry,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.time, self.number)
    }
}

impl FromStr for Entry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (time, number) = text.split_once('-').unwrap_or((text, "0"));
        match (time.parse(), number.parse()) {
            (Ok(time), Ok(number)) => Ok(Self { time, number }),
            _ => Err(format!("`{text}` is no entry of a stream")),
        }
    }
}

impl TryFrom<String> for Entry {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Entry> for String {
    fn from(entry: Entry) -> Self {
        entry.to_string()
    }
}
