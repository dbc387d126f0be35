//! Parts that models are made of.

mod activation;
mod attention;
mod cin;
mod cross;
mod experts;
mod gru;
mod half;
mod linear_terms;
mod lstm;
mod mlp;
mod pooling;
mod positions;
mod residual;
mod score;
mod sparse_gate;
mod tower;
mod towers;

pub use activation::{ActivationKind, AnyActivation, Dice, Prelu};
pub use attention::{AttentionUnit, Normalise, pool_scored};
pub use cin::Cin;
pub use cross::{Cross, CrossShape, Gate, Inner};
pub use experts::{ExpertGate, Experts};
pub use gru::GruUnit;
pub use half::Half;
pub use linear_terms::LinearTerms;
pub use lstm::{GatedBy, LstmUnit};
pub use mlp::{Layers, LayersConfig, layer, layer_onto};
pub use pooling::mean_pool;
pub use positions::position_encoding;
pub use residual::Residual;
pub use score::Score;
pub use sparse_gate::{SparseGate, Taken};
pub use tower::Tower;
pub use towers::{Towers, check_probability, check_widths};

/// The pair term of a factorisation machine (Rendle, ICDM 2010).
pub use burnrec_backend::pair_term;
