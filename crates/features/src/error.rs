//! What can be wrong between a column and a model input.

use burnrec_data::DataError;

/// An error of the schema, of fitting or of encoding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// The data could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A catalogue that does not fit into Arrow's tables.
    #[error("the catalogue of items and users: {0}")]
    Catalogue(#[from] arrow::error::ArrowError),
    /// Encoded rows that were kept and are not what was written.
    #[error("{path}: {reason}; the damaged file was removed: run the command again (train with --resume), and the data is read in its place", path = path.display())]
    Cache {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A setting of `[features]` that cannot work.
    #[error("{key}: {problem}")]
    Setting {
        /// The whole key, as `features.fields.age.transform`.
        key: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A value that its field cannot take.
    #[error("{location}: column `{column}` (read for `{feature}`): {problem}")]
    Value {
        /// Where it stood.
        location: String,
        /// The column.
        column: String,
        /// The feature that reads it.
        feature: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A column type that a field cannot read.
    #[error("column `{column}` has type {found}, which `{feature}` cannot read as {needed}")]
    ColumnType {
        /// The column.
        column: String,
        /// The feature that reads it.
        feature: String,
        /// Its Arrow type.
        found: String,
        /// What is needed.
        needed: &'static str,
    },
    /// No row on a side of the split.
    #[error("the {side} side of the split has no rows; change data.split or give more data")]
    NoRows {
        /// `train`, `valid` or `test`.
        side: &'static str,
    },
    /// No training row has a label of a task.
    #[error(
        "tasks.{task}: none of {rows} training rows has a label in column `{column}`{space}; nothing can be learned of it"
    )]
    NoLabels {
        /// The task.
        task: String,
        /// The label column.
        column: String,
        /// Training rows.
        rows: u64,
        /// ` where …`, for tasks of some rows.
        space: String,
    },
    /// The rows that trees are grown on have one class.
    #[error(
        "features.trees.share: trees would be grown on {rows} rows, {positive} of them positive; both classes are needed"
    )]
    OneClassOfTrees {
        /// Those rows.
        rows: usize,
        /// The positive ones.
        positive: usize,
    },
    /// All training labels of a task are the same.
    #[error(
        "label `{column}`: all {rows} training rows are {class}; a ranker needs both classes: check tasks.{task}.label (threshold, positive) and the split"
    )]
    OneClass {
        /// The task.
        task: String,
        /// The label column.
        column: String,
        /// Training rows.
        rows: u64,
        /// The only class, 0 or 1.
        class: u8,
    },
    /// A thread of the loader died.
    #[error("the loader stopped unexpectedly; this is a fault of burnrec, please report it with the config")]
    LoaderDied,
}

/// A setting that cannot work.
pub(crate) fn bad(key: impl Into<String>, problem: impl Into<String>) -> FeatureError {
    FeatureError::Setting { key: key.into(), problem: problem.into() }
}
