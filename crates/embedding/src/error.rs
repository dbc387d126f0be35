//! What can be wrong with tables.

use std::path::PathBuf;

/// An error of the tables or their files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddingError {
    /// A table file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A table file does not hold what the model needs.
    #[error("{path}: {problem}", path = path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A table file that Arrow refuses.
    #[error("{path}: not a readable table file ({source})", path = path.display())]
    Arrow {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: arrow::error::ArrowError,
    },
    /// A setting of an optimiser that cannot work.
    #[error("{key}: {problem}")]
    Setting {
        /// The key below the optimiser's table.
        key: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// More rows than a table can number.
    #[error("a table of {rows} rows is above the limit of 4294967295; use index = \"modulo\" with fewer buckets")]
    TooManyRows {
        /// The rows asked for.
        rows: u64,
    },
}
