//! Training: objectives, the step, epochs, metrics, early stopping, checkpoints, the run folder.

mod checkpoint;
mod config;
mod error;
mod evaluate;
mod experiment;
mod feed;
mod files;
mod folder;
mod fused_adam;
mod learner;
pub mod metrics;
mod objective;
mod observer;
mod optimizer;
mod place;
mod predict;
mod rate;
mod saved;
mod summary;
mod trainer;

pub use config::{DenseOptimizer, DenseRule, LossKind, TrainConfig};
pub use error::TrainError;
pub use evaluate::{Scored, evaluate};
pub use experiment::{BackendConfig, Experiment, RunConfig};
pub use folder::{EVENTS, RunFolder, SUMMARY};
pub use learner::{Learner, Prepared, prepare};
pub use observer::{Event, Observer, Stop};
pub use place::{check_placement, table_device};
pub use predict::score;
pub use rate::RateSchedule;
pub use saved::SavedModel;
pub use summary::Summary;
pub use trainer::{Job, train};
