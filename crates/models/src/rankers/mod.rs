//! One file a model.

mod list;

pub(crate) use list::every_model;

macro_rules! declare {
    ($($name:literal $file:ident $variant:ident ($config:ident) $paper:literal;)*) => {
        $(mod $file; pub use $file::{$config, $variant};)*
    };
}

every_model!(declare);

use burnrec_embedding::{Init, Lookup, SparseOptimizer};
use burnrec_features::{Pooling, Schema};

use crate::error::ModelError;

/// One weight an id, over every categorical field and cross, starting at zero.
fn linear_lookup(name: &'static str, schema: &Schema, optimizer: Option<SparseOptimizer>) -> Lookup {
    Lookup {
        name,
        features: schema.slots(),
        sequences: Vec::new(),
        squares: Vec::new(),
        dim: 1,
        optimizer,
        init: Init::Zeros,
    }
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
        squares: Vec::new(),
        dim,
        optimizer,
        init: Init::Normal(deviation),
    }
}

/// [`vector_lookup`], with the squares that the pairs within fields of several ids are made of.
fn pair_lookup(
    name: &'static str,
    schema: &Schema,
    dim: usize,
    deviation: f32,
    optimizer: Option<SparseOptimizer>,
) -> Lookup {
    let lookup = vector_lookup(name, schema, dim, deviation, optimizer);
    let summed = |f: &usize| matches!(schema.categorical[*f].pooling, Some(Pooling::Sum | Pooling::Mean));
    Lookup { squares: lookup.features.iter().copied().filter(summed).collect(), ..lookup }
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
