//! Parts that models are made of.

mod cin;
mod cross;
mod linear_terms;
mod mlp;
mod residual;

pub use cin::Cin;
pub use cross::{Cross, CrossShape, Gate, Inner};
pub use linear_terms::LinearTerms;
pub use mlp::{Layers, LayersConfig, layer};
pub use residual::Residual;
