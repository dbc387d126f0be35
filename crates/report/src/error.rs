//! What can go wrong when run folders are read.

use std::path::PathBuf;

/// An error of reading a run folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A folder without a run.
    #[error("{path}: {problem}; give the folder of a run, a sweep, a replay or a simulation")]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// A file that says nothing.
    #[error("{path}{}: {problem}", line.map_or_else(String::new, |n| format!(", line {n}")))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1; none where the whole file is meant.
        line: Option<usize>,
        /// What is wrong with it.
        problem: String,
    },
}
