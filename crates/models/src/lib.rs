//! Models: tensors in, heads out. One file a model, under `rankers`; their parts under [`blocks`].
//!
//! A model declares which vectors it looks up ([`burnrec_embedding::Slots`]) and owns no table, loss,
//! optimiser or file. A new model is one file, one line in the registry, one config.

pub mod blocks;
mod contract;
mod error;
mod initial;
mod rankers;
mod registry;

pub use contract::{
    Architecture, Fields, Following, Head, Heads, InputShapes, Inputs, Learns, Model, Outputs, Reads, SequenceShape,
    Sequences, Squares, StartRule, TaskKind, Trunk,
};
pub use error::ModelError;
pub use initial::Initial;
pub use rankers::*;
pub use registry::{AnyModel, ModelConfig, ModelInfo, named, registered};
