//! Parts that models are made of.

mod activation;
mod attention;
mod cin;
mod cross;
mod gru;
mod linear_terms;
mod mlp;
mod pooling;
mod positions;
mod residual;
mod tower;

pub use activation::{ActivationKind, AnyActivation, Dice, Prelu};
pub use attention::{AttentionUnit, Normalise};
pub use cin::Cin;
pub use cross::{Cross, CrossShape, Gate, Inner};
pub use gru::GruUnit;
pub use linear_terms::LinearTerms;
pub use mlp::{Layers, LayersConfig, layer};
pub use pooling::mean_pool;
pub use positions::position_encoding;
pub use residual::Residual;
pub use tower::Tower;

/// The pair term of a factorisation machine (Rendle, ICDM 2010).
pub use burnrec_backend::pair_term;
