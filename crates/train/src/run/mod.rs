//! What a run has on disk: its folder, its checkpoints, the model that they hold.

mod apart;
mod checkpoint;
mod encoder_files;
mod files;
mod folder;
mod manifest;
mod progress;
mod saved;

pub use apart::Apart;
pub(crate) use checkpoint::{load_step, save};
pub(crate) use encoder_files::write as write_encoder_files;
pub(crate) use files::broken;
pub use files::write_whole;
pub use folder::RunFolder;
pub(crate) use manifest::{Candidate, Manifest, sweep};
pub use progress::Verdict;
pub(crate) use progress::{Progress, StreamPlace};
pub use saved::{SavedModel, published, roll_back, trees_of};
