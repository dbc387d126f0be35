//! Parts that models are made of.

mod linear_terms;
mod mlp;
mod residual;

pub use linear_terms::LinearTerms;
pub use mlp::{Layers, LayersConfig, layer};
pub use residual::Residual;
