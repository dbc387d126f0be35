//! Models: tensors in, logits out. One file a model, under `rankers`; their parts under [`blocks`].
//!
//! A model declares which vectors it looks up ([`burnrec_embedding::Slots`]) and owns no table, loss,
//! optimiser or file. A new model is one file, one line in the registry, one config.

pub mod blocks;
mod contract;
mod error;
mod initial;
mod rankers;
mod registry;

pub use contract::{Architecture, Following, InputShapes, Inputs, Output, Ranker, SequenceShape, TaskKind};
pub use error::ModelError;
pub use initial::Initial;
pub use rankers::{
    DcnV2, DcnV2Config, DeepCrossing, DeepCrossingConfig, Dien, DienConfig, Din, DinConfig, Eges, EgesConfig, Fm,
    FmConfig, GbdtLr, GbdtLrConfig, Item2Vec, Item2VecConfig, Lr, LrConfig, Mlp, MlpConfig, Mlr, MlrConfig, NeuMf,
    NeuMfConfig, Pretrained, Structure, WideDeep, WideDeepConfig, XDeepFm, XDeepFmConfig, YoutubeDnn, YoutubeDnnConfig,
};
pub use registry::{AnyModel, ModelConfig, ModelInfo, registered};
