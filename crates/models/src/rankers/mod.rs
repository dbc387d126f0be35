//! One file a model.

mod dcn_v2;
mod deep_crossing;
mod deepfm;
mod fm;
mod lr;
mod mlp;
mod mlr;
mod wide_deep;
mod xdeepfm;

pub use dcn_v2::{DcnV2, DcnV2Config, Structure};
pub use deep_crossing::{DeepCrossing, DeepCrossingConfig};
pub use deepfm::{DeepFm, DeepFmConfig};
pub use fm::{Fm, FmConfig};
pub use lr::{Lr, LrConfig};
pub use mlp::{Mlp, MlpConfig};
pub use mlr::{Mlr, MlrConfig};
pub use wide_deep::{WideDeep, WideDeepConfig};
pub use xdeepfm::{XDeepFm, XDeepFmConfig};

use burnrec_embedding::{Init, Lookup, SparseOptimizer};
use burnrec_features::Schema;

use crate::error::ModelError;

/// One weight an id, over every categorical field and cross, starting at zero.
fn linear_lookup(name: &'static str, schema: &Schema, optimizer: Option<SparseOptimizer>) -> Lookup {
    Lookup { name, features: (0..schema.categorical.len()).collect(), dim: 1, optimizer, init: Init::Zeros }
}

/// One vector an id, over every categorical field that is not a cross.
fn vector_lookup(
    name: &'static str,
    schema: &Schema,
    dim: usize,
    deviation: f32,
    optimizer: Option<SparseOptimizer>,
) -> Lookup {
    Lookup { name, features: schema.columns_only(), dim, optimizer, init: Init::Normal(deviation) }
}

fn check_vectors(model: &'static str, schema: &Schema, dim: usize, deviation: f32) -> Result<(), ModelError> {
    let bad = |key: &str, problem: &str| Err(ModelError::Setting { model, key: key.into(), problem: problem.into() });
    match () {
        () if !(1..=1024).contains(&dim) => bad("embedding_dim", "must lie in 1..=1024"),
        () if !(deviation > 0.0 && deviation.is_finite()) => {
            bad("embedding_std", "must be above 0: equal vectors never part")
        }
        () if schema.columns_only().is_empty() => bad(
            "embedding_dim",
            "the model looks vectors up, but features.fields has no categorical, multi or bucket field",
        ),
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests;
