//! Parts that models are made of.

mod activation;
mod attention;
mod cin;
mod cross;
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
pub use linear_terms::LinearTerms;
pub use mlp::{Layers, LayersConfig, layer};
pub use pooling::mean_pool;
pub use positions::position_encoding;
pub use residual::Residual;
pub use tower::Tower;
