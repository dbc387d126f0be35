//! What can be wrong with what a client is sent.

use std::fmt;

/// An error, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A line that is none of a slate's, or of a message's.
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// An item that the slate does not have.
    Item {
        /// Its id.
        id: String,
    },
    /// Vectors of two trainings, which have nothing to do with each other.
    Version {
        /// That of the user's vector.
        own: String,
        /// That of the slate.
        other: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, problem } => write!(f, "line {line}: {problem}"),
            Self::Item { id } => write!(f, "item `{id}` is not in the slate; ask for one that has it"),
            Self::Version { own, other } => write!(
                f,
                "the user's vector is of item vectors {own}, and these are {other}; start a new one, and click what the user clicked again"
            ),
        }
    }
}

impl std::error::Error for Error {}
