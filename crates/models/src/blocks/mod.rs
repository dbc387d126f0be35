//! Parts that models are made of.

mod fm;
mod linear_terms;
mod mlp;
mod residual;

pub use fm::pair_term;
pub use linear_terms::LinearTerms;
pub use mlp::{Layers, LayersConfig, layer};
pub use residual::Residual;
