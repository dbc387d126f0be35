//! What can be wrong with a model's settings.

/// An error of a model's configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A setting that cannot work.
    #[error("model.{model}.{key}: {problem}")]
    Setting {
        /// The model.
        model: &'static str,
        /// The key below its table.
        key: String,
        /// What is wrong and what to do.
        problem: String,
    },
}
