//! What can go wrong.

use burnrec_train::TrainError;

/// What can go wrong where agents learn from feedback.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RlError {
    /// Training, data, features.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A setting that cannot work.
    #[error("{key}: {problem}")]
    Setting {
        /// The key.
        key: String,
        /// The problem, and what to do.
        problem: String,
    },
    /// A request that cannot be answered.
    #[error("request {request} of user {user}: {problem}")]
    Request {
        /// Its number.
        request: u64,
        /// Who asks.
        user: u64,
        /// The problem.
        problem: String,
    },
    /// A slate that an environment cannot show.
    #[error("slate of request {request}: {problem}")]
    Slate {
        /// The request.
        request: u64,
        /// The problem.
        problem: String,
    },
    /// A clock that went backwards.
    #[error("a time of {now} s came after {before} s: clocks only go forward; sort the events by time")]
    Clock {
        /// The time.
        now: f64,
        /// The one before it.
        before: f64,
    },
    /// A log of what a policy did that cannot be used.
    #[error("{path}, row {row}: {problem}")]
    Log {
        /// The file.
        path: String,
        /// The row, from 1.
        row: usize,
        /// The problem.
        problem: String,
    },
    /// A state that was saved and cannot be gone on with.
    #[error("{path}: {problem}; begin anew in another folder")]
    State {
        /// The file.
        path: String,
        /// The problem.
        problem: String,
    },
}

impl From<arrow::error::ArrowError> for RlError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Train(burnrec_data::DataError::from(error).into())
    }
}

impl From<burnrec_data::DataError> for RlError {
    fn from(error: burnrec_data::DataError) -> Self {
        Self::Train(error.into())
    }
}

impl From<burnrec_features::FeatureError> for RlError {
    fn from(error: burnrec_features::FeatureError) -> Self {
        Self::Train(error.into())
    }
}

/// A setting that cannot work.
pub(crate) fn bad(key: impl Into<String>, problem: impl Into<String>) -> RlError {
    RlError::Setting { key: key.into(), problem: problem.into() }
}
