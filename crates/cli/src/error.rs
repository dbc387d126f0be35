//! What ends the program, and with which code: 1 failed while running, 2 usage or configuration, 3 device.

use burnrec_backend::BackendError;
use burnrec_data::DataError;
use burnrec_features::FeatureError;
use burnrec_rl::RlError;
use burnrec_train::TrainError;

use crate::config_error::ConfigError;
use crate::nearest::nearest;

/// An error that ends the program.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The experiment file.
    #[error("{0}")]
    Config(Box<ConfigError>),
    /// A device.
    #[error(transparent)]
    Device(#[from] BackendError),
    /// Training, or what it reads.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Agents, environments, logs of policies.
    #[error("{0}")]
    Rl(RlError),
    /// Data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Arguments that cannot go together.
    #[error("{0}")]
    Usage(String),
    /// The folder or file to write to.
    #[error("{path}: cannot be written ({reason}); give another place with {option}")]
    Output {
        /// The path.
        path: String,
        /// The cause.
        reason: String,
        /// The option that names it.
        option: &'static str,
    },
    /// A disk that did not take what was written.
    #[error("{path}: could not be written ({reason}); nothing half-written is left")]
    Disk {
        /// The path.
        path: String,
        /// The cause.
        reason: String,
    },
    /// A buffer that the device cannot hold.
    #[error(
        "the device cannot hold a buffer of {mib} MiB; lower train.batch_size, or name another --device; nothing that was saved is lost: continue with --resume"
    )]
    DeviceMemory {
        /// Its size.
        mib: u64,
    },
    /// A run that nobody trains.
    #[error(
        "{path}: nobody trains here any more, and the run has not come to its end; continue it by train --resume --out {path}"
    )]
    Left {
        /// The folder.
        path: String,
    },
    /// A gate that refused to publish what a window made.
    #[error(
        "the gate refused {times} of the models, the last one in phase {phase}: log-loss {candidate:.4} on the window behind it, {published:.4} of what is published, which stays; the ledger has the rest"
    )]
    Refused {
        /// How many.
        times: usize,
        /// The phase of the last one.
        phase: usize,
        /// Its log-loss.
        candidate: f64,
        /// That of the published model.
        published: f64,
    },
    /// A mistake of burnrec's own.
    #[error(
        "burnrec failed on an assumption of its own ({text}); nothing that was saved is lost: please report it with the config, and continue with --resume"
    )]
    Assumption {
        /// What it said.
        text: String,
    },
    /// Standard output was closed by its reader.
    #[error("standard output was closed")]
    ClosedPipe,
}

impl From<RlError> for CliError {
    fn from(error: RlError) -> Self {
        match error {
            RlError::Train(error) => Self::Train(error),
            other => Self::Rl(other),
        }
    }
}

impl From<FeatureError> for CliError {
    fn from(error: FeatureError) -> Self {
        Self::Train(error.into())
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

impl CliError {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Device(_) | Self::DeviceMemory { .. } => 3,
            Self::Assumption { .. } | Self::Disk { .. } | Self::Refused { .. } | Self::Left { .. } => 1,
            Self::Train(e) if e.is_environment() => 1,
            Self::Data(e) if e.is_environment() => 1,
            _ => 2,
        }
    }

    /// The column that was meant by one that is not there, where a name is near.
    pub fn meant(&self) -> Option<String> {
        let data = match self {
            Self::Data(data) | Self::Train(TrainError::Data(data) | TrainError::Feature(FeatureError::Data(data))) => {
                data
            }
            _ => return None,
        };
        let DataError::NoColumn { column, available, .. } = data else { return None };
        nearest(column, available.split(", ")).map(String::from)
    }

    /// The whole key of the setting that is wrong, if it is one.
    pub fn key(&self) -> Option<String> {
        use burnrec_embedding::EmbeddingError;
        use burnrec_models::ModelError;
        match self {
            Self::Data(DataError::Setting { key, .. })
            | Self::Train(
                TrainError::Data(DataError::Setting { key, .. })
                | TrainError::Feature(FeatureError::Data(DataError::Setting { key, .. })),
            ) => Some(format!("data.{key}")),
            Self::Train(
                TrainError::Setting { key, .. }
                | TrainError::Feature(FeatureError::Setting { key, .. })
                | TrainError::Embedding(EmbeddingError::Setting { key, .. }),
            ) => Some(key.clone()),
            Self::Rl(RlError::Setting { key, .. }) => Some(key.clone()),
            Self::Train(TrainError::Model(ModelError::Setting { model, key, .. })) => {
                Some(format!("model.{model}.{key}"))
            }
            Self::Train(TrainError::Model(ModelError::Sequence { field, .. } | ModelError::Ignored { field, .. })) => {
                Some(format!("features.fields.{field}"))
            }
            Self::Train(TrainError::Model(ModelError::Task { task, .. })) => Some(format!("tasks.{task}")),
            // What a model lacks is missing everywhere: the model's own line is what asks for it.
            Self::Train(TrainError::Model(
                ModelError::Field { model, .. } | ModelError::Trees { model } | ModelError::Heads { model, .. },
            )) => Some(format!("model.{model}")),
            _ => None,
        }
    }
}
