//! One file a model.

mod dcn_v2;
mod deep_crossing;
mod deepfm;
mod dien;
mod din;
mod eges;
mod fm;
mod gbdt_lr;
mod item2vec;
mod lr;
mod mlp;
mod mlr;
mod neumf;
mod wide_deep;
mod xdeepfm;
mod youtube_dnn;

pub use dcn_v2::{DcnV2, DcnV2Config, Structure};
pub use deep_crossing::{DeepCrossing, DeepCrossingConfig};
pub use deepfm::{DeepFm, DeepFmConfig};
pub use dien::{Dien, DienConfig};
pub use din::{Din, DinConfig};
pub use eges::{Eges, EgesConfig};
pub use fm::{Fm, FmConfig};
pub use gbdt_lr::{GbdtLr, GbdtLrConfig};
pub use item2vec::{Item2Vec, Item2VecConfig};
pub use lr::{Lr, LrConfig};
pub use mlp::{Mlp, MlpConfig};
pub use mlr::{Mlr, MlrConfig};
pub use neumf::{NeuMf, NeuMfConfig, Pretrained};
pub use wide_deep::{WideDeep, WideDeepConfig};
pub use xdeepfm::{XDeepFm, XDeepFmConfig};
pub use youtube_dnn::{YoutubeDnn, YoutubeDnnConfig};

use burnrec_embedding::{Init, Lookup, SparseOptimizer};
use burnrec_features::Schema;

use crate::error::ModelError;

/// One weight an id, over every categorical field and cross, starting at zero.
fn linear_lookup(name: &'static str, schema: &Schema, optimizer: Option<SparseOptimizer>) -> Lookup {
    Lookup { name, features: schema.slots(), sequences: Vec::new(), dim: 1, optimizer, init: Init::Zeros }
}

/// One vector an id, over every categorical field that is not a cross.
fn vector_lookup(
    name: &'static str,
    schema: &Schema,
    dim: usize,
    deviation: f32,
    optimizer: Option<SparseOptimizer>,
) -> Lookup {
    Lookup {
        name,
        features: schema.columns_only(),
        sequences: Vec::new(),
        dim,
        optimizer,
        init: Init::Normal(deviation),
    }
}

/// [`vector_lookup`], with the positions of every sequence.
fn history_lookup(
    name: &'static str,
    schema: &Schema,
    dim: usize,
    deviation: f32,
    optimizer: Option<SparseOptimizer>,
) -> Lookup {
    Lookup { sequences: schema.sequences(), ..vector_lookup(name, schema, dim, deviation, optimizer) }
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

/// A model of histories needs one, and for each sequence the field that it is a history of.
fn check_histories(model: &'static str, schema: &Schema) -> Result<(), ModelError> {
    let sequences = schema.sequences();
    if sequences.is_empty() {
        let problem = "reads what users did, and no field is of kind \"sequence\"; declare one with the table of its candidate, for example history = { kind = \"sequence\", table = \"item_id\" }";
        return Err(ModelError::Field { model, problem: problem.into() });
    }
    match sequences.into_iter().find(|s| schema.candidate_of(*s).is_none()) {
        Some(place) => {
            let field = &schema.categorical[place];
            let names: Vec<&str> =
                schema.candidates_of(place).into_iter().map(|c| schema.categorical[c].name.as_str()).collect();
            let problem = match names.as_slice() {
                [] => format!(
                    "weighs sequence `{}` by a candidate, and no field of one id a row has its table `{}`; set table to the field that it is a history of",
                    field.name, field.table
                ),
                names => format!(
                    "cannot tell which of {} sequence `{}` is a history of; name the table `{}` after one of them, or give the others tables of their own",
                    names.join(", "),
                    field.name,
                    field.table
                ),
            };
            Err(ModelError::Field { model, problem })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
