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
    /// A sequence where one vector a field is needed.
    #[error(
        "features.fields.{field}: is a sequence, and model.{model} needs one value of each field; make it of kind \"multi\", which pools its ids, remove it, or take another model"
    )]
    Sequence {
        /// The model.
        model: &'static str,
        /// The field.
        field: String,
    },
    /// A number as the label of a model of probabilities.
    #[error(
        "tasks.{task}.label: model.{model} predicts the probability of a label 0 or 1, and this one is {what}; give threshold or positive instead, or take another model"
    )]
    Task {
        /// The model.
        model: &'static str,
        /// The task.
        task: String,
        /// What its label is.
        what: &'static str,
    },
    /// Tasks that the model has no heads for.
    #[error("tasks: model.{model} {problem}")]
    Heads {
        /// The model.
        model: &'static str,
        /// Why, and what to do.
        problem: String,
    },
    /// Trees that a model needs.
    #[error(
        "features.trees: model.{model} learns from the leaves of trees, and none are asked for; add an empty table [features.trees]"
    )]
    Trees {
        /// The model.
        model: &'static str,
    },
    /// A field that nothing in the model reads.
    #[error(
        "features.fields.{field}: model.{model} has no use for {kind}, so that it would be ignored; remove it, or take another model"
    )]
    Ignored {
        /// The model.
        model: &'static str,
        /// The field.
        field: String,
        /// What kind of field it is.
        kind: &'static str,
    },
    /// A field that the model cannot do without.
    #[error("features.fields: model.{model} {problem}")]
    Field {
        /// The model.
        model: &'static str,
        /// What it needs and what to write.
        problem: String,
    },
}

/// A setting that cannot work.
pub(crate) fn setting<T>(model: &'static str, key: &str, problem: impl Into<String>) -> Result<T, ModelError> {
    Err(ModelError::Setting { model, key: key.into(), problem: problem.into() })
}
