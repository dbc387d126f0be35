//! Windows: the rows that a phase of training learns from, or is judged by.

use crate::config::Side;

/// Some of the rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Window {
    /// A side of the split.
    Side(Side),
    /// The rows of a stretch of event time, `from` included and `to` not.
    Span {
        /// Column of the time.
        column: String,
        /// The first moment, in nanoseconds since 1970.
        from: i64,
        /// The first moment behind.
        to: i64,
    },
}

impl Window {
    /// Whether it is a stretch of time.
    pub fn is_span(&self) -> bool {
        matches!(self, Self::Span { .. })
    }

    /// Its column, its first moment, and the first one behind it.
    pub(super) fn span(&self) -> Option<(&String, i64, i64)> {
        match self {
            Self::Side(_) => None,
            Self::Span { column, from, to } => Some((column, *from, *to)),
        }
    }

    pub(super) fn column(&self) -> Option<&String> {
        match self {
            Self::Side(_) => None,
            Self::Span { column, .. } => Some(column),
        }
    }

    pub(super) fn holds(&self, time: i64) -> bool {
        match self {
            Self::Side(_) => false,
            Self::Span { from, to, .. } => (*from..*to).contains(&time),
        }
    }
}
