//! How rows are divided into sides.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::DataError;

/// One side of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Rows that weights are fitted on.
    Train,
    /// Rows that early stopping looks at.
    Valid,
    /// Rows that are looked at once, at the end.
    Test,
}

impl Side {
    /// The name used in files: `train`, `valid`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }
}

/// How rows are divided into train, valid and test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum SplitConfig {
    /// Each row by a seeded hash of its place in the file.
    Random {
        /// Random: share of rows for validation, 0..1.
        valid: f64,
        /// Random: share of rows for the test, 0..1.
        test: f64,
        /// Seed of the split, apart from the run's seed so that runs compare.
        #[serde(default)]
        seed: u64,
    },
    /// The last rows in the order that they have: of the file, or of time where `sort_by` sorts them.
    Order {
        /// Order, time: share of rows for validation, just before the test rows.
        valid: f64,
        /// Order: share of rows for the test, the last.
        test: f64,
    },
    /// The last rows by event time.
    Time {
        /// The event-time column.
        column: String,
        /// Order, time: share of rows for validation, just before the test rows.
        valid: f64,
        /// Time: share of rows for the test, the latest.
        test: f64,
    },
    /// The last share of each user's rows, by event time (ties by place in the file).
    UserLast {
        /// The user column.
        user: String,
        /// The event-time column.
        time: String,
        /// User_last: share of each user's rows for validation.
        valid: f64,
        /// User_last: share of each user's rows for the test.
        test: f64,
    },
    /// Each user's latest row is the test, the one before it validation.
    LeaveOneOut {
        /// The user column.
        user: String,
        /// The event-time column.
        time: String,
    },
    /// Whole days (UTC) of event time: the last `test_days` are the test, the `valid_days` before them validation.
    Day {
        /// The event-time column.
        column: String,
        /// Days for validation.
        valid_days: u32,
        /// Days for the test.
        test_days: u32,
    },
    /// Each side is a file of its own: `valid = "valid.parquet"`, `test = "test.parquet"`.
    Files {
        /// Files: the path of the validation rows, or a share of the training rows such as 0.1, by a seeded hash of their places.
        #[serde(deserialize_with = "as_text")]
        valid: String,
        /// Files: the path of the test rows.
        test: String,
    },
}

/// Text, or a number as it is written.
fn as_text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(f64),
    }
    Ok(match Either::deserialize(from)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    })
}

impl SplitConfig {
    /// The columns that it reads.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::Random { .. } | Self::Order { .. } | Self::Files { .. } => Vec::new(),
            Self::Time { column, .. } | Self::Day { column, .. } => vec![column],
            Self::UserLast { user, time, .. } | Self::LeaveOneOut { user, time } => vec![user, time],
        }
    }

    /// Refuses shares that leave nothing to train on.
    ///
    /// # Errors
    /// [`DataError::Setting`] naming the key.
    pub fn check(&self) -> Result<(), DataError> {
        let (Self::Random { valid, test, .. }
        | Self::Order { valid, test }
        | Self::Time { valid, test, .. }
        | Self::UserLast { valid, test, .. }) = self
        else {
            return Ok(());
        };
        match *valid >= 0.0 && *test >= 0.0 && valid + test < 1.0 {
            true => Ok(()),
            false => Err(DataError::Setting {
                key: "split".into(),
                problem: format!(
                    "valid = {valid} and test = {test} must be at least 0 and leave rows to train on (their sum below 1)"
                ),
            }),
        }
    }
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self::Random { valid: 0.1, test: 0.1, seed: 0 }
    }
}
