//! What can go wrong while training.

use std::path::PathBuf;

use burnrec_data::DataError;
use burnrec_embedding::EmbeddingError;
use burnrec_features::FeatureError;
use burnrec_models::ModelError;

/// An error of a training job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The data could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A column could not be turned into inputs.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// A table could not be made, read or written.
    #[error(transparent)]
    Embedding(#[from] EmbeddingError),
    /// A model's setting.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A setting that cannot work.
    #[error("{key}: {problem}")]
    Setting {
        /// The whole key.
        key: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A step failed while the optimiser held the weights.
    #[error("a step failed half-way, the weights are gone: continue from the last checkpoint with --resume")]
    HalfStep,
    /// The run folder exists.
    #[error("{path}: this folder holds a run already; give another --out, or continue it with --resume", path = path.display())]
    FolderExists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds something else.
    #[error("{path}: this folder is not empty (it holds `{holds}`) and is no run; give another --out", path = path.display())]
    FolderNotEmpty {
        /// The folder.
        path: PathBuf,
        /// Something in it.
        holds: String,
    },
    /// Another process works on the run.
    #[error("{path}: another burnrec is training in this folder; wait for it, or stop it", path = path.display())]
    FolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// A resumed run would go on with other data.
    #[error("{path}: the data changed since the run was started ({difference}); restore it, or start a new run", path = path.display())]
    OtherData {
        /// The run folder.
        path: PathBuf,
        /// What differs.
        difference: String,
    },
    /// A folder that is no run.
    #[error("{path}: is not a run folder: {problem}", path = path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// A run of another version of burnrec.
    #[error("{path}: was written by run format {found}, this burnrec reads format {expected}; use the burnrec that wrote it, or train again", path = path.display())]
    Version {
        /// The folder.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// A resumed run was started with another configuration.
    #[error("{path}: the run was started with another configuration ({difference}); resume with the same one, or start a new run", path = path.display())]
    OtherConfig {
        /// The folder.
        path: PathBuf,
        /// The first line that differs.
        difference: String,
    },
    /// A file of a checkpoint is missing or altered.
    #[error("{path}: {problem}; the checkpoint cannot be trusted: restore the file, or train again", path = path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A checkpoint could not be written.
    #[error(
        "the checkpoint of step {step} could not be written ({cause}); make room or mend the folder, then continue with --resume from the one before"
    )]
    Unsaved {
        /// The step.
        step: u64,
        /// The cause, with its file.
        cause: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A stream with too many lines that are no events.
    #[error(
        "{path}: more than {most} lines are no events; the last is line {line}: {reason}; all stand in {aside}: mend what writes them, or allow more, then go on with --resume",
        path = path.display(),
        aside = aside.display()
    )]
    TooManyRejected {
        /// The stream.
        path: PathBuf,
        /// The last such line.
        line: u64,
        /// What is wrong with it.
        reason: String,
        /// Where they stand.
        aside: PathBuf,
        /// How many were allowed.
        most: u64,
    },
    /// An epoch in which nothing could be learned.
    #[error("epoch {epoch}: {why}; nothing was learned")]
    Nothing {
        /// From 1.
        epoch: usize,
        /// Why, and what to do.
        why: &'static str,
    },
    /// The loss is not a number any more.
    #[error(
        "step {step}: the loss is {loss}; lower train.learning_rate (now {learning_rate}), set train.clip_norm, or look for extreme values in the numeric fields"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// The loss.
        loss: f64,
        /// The learning rate.
        learning_rate: f64,
    },
}

impl TrainError {
    /// Wraps an operating-system error with its path.
    pub fn io(path: &std::path::Path) -> impl Fn(std::io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_path_buf(), source }
    }

    /// Whether the failure is of the world, or of the training, and not of what the user gave.
    pub fn is_environment(&self) -> bool {
        match self {
            Self::Data(e) | Self::Feature(FeatureError::Data(e)) => e.is_environment(),
            Self::Feature(FeatureError::LoaderDied | FeatureError::Cache { .. })
            | Self::TooManyRejected { .. }
            | Self::Diverged { .. }
            | Self::HalfStep
            | Self::Unsaved { .. } => true,
            _ => false,
        }
    }
}

/// A setting that cannot work.
pub(crate) fn bad(key: impl Into<String>, problem: impl Into<String>) -> TrainError {
    TrainError::Setting { key: key.into(), problem: problem.into() }
}
