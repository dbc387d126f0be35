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
    /// A replay or a simulation without an outcome yet.
    #[error("{path}: has no summary.json yet; it is running, or was stopped: continue it with --resume")]
    Unfinished {
        /// The folder.
        path: PathBuf,
    },
    /// A file that says nothing.
    #[error("{path}: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}
