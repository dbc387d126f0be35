//! item2vec (Barkan & Koenigstein, 2016): skip-gram with negative sampling over what users liked.
//!
//! ```text
//! item i ─ u_i [B, d] ─┬─ ⊙ v_j [B, d] of the item beside it ─ sum ─▶ logit [B, 1]
//!                      └─ ⊙ v_k [B·n, d] of what was drawn ─ sum ───▶ logits [B, n]
//! ```
//! Two vectors an item; u is kept. What a pair is stands in `[features.pairs]`, and how many are drawn beside it in
//! `[features.negatives]`: the paper draws 15 by the power ¾ of their frequency.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnrec_embedding::{Init, Lookup, Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`Item2Vec`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Item2VecConfig {
    /// Width d of the vectors.
    pub embedding_dim: usize,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for Item2VecConfig {
    fn default() -> Self {
        Self { embedding_dim: 40, optimizer: None }
    }
}

/// Two vectors an item; it has no dense weights.
#[derive(Module, Debug)]
pub struct Item2Vec {
    dim: usize,
}

/// Pairs hold items alone.
pub(super) fn check_pairs(model: &'static str, schema: &Schema, described: bool, dim: usize) -> Result<(), ModelError> {
    if !(1..=1024).contains(&dim) {
        let problem = "must lie in 1..=1024".into();
        return Err(ModelError::Setting { model, key: "embedding_dim".into(), problem });
    }
    let Some(items) = &schema.items else { return Ok(()) };
    let field = |name: &str, why: &str| {
        let problem = format!("learns from pairs of items, so that field `{name}`, {why}, would be ignored; remove it");
        Err(ModelError::Field { model, problem })
    };
    let unread = schema.slots().into_iter().chain(schema.sequences()).filter(|f| !items.fields.contains(f));
    if let Some(place) = unread.min() {
        return field(&schema.categorical[place].name, "which features.items.fields does not name");
    }
    if let Some(number) = schema.numeric.first() {
        return field(&number.field, "a number");
    }
    match items.fields.get(1).filter(|_| !described) {
        Some(other) => field(&schema.categorical[*other].name, "which describes items: that is for eges"),
        None => Ok(()),
    }
}

/// The lookup of the second vectors, which start at zero.
pub(super) fn contexts(schema: &Schema, dim: usize, optimizer: Option<SparseOptimizer>) -> Lookup {
    let place =
        |of: fn(&burnrec_features::Items) -> Option<usize>| schema.items.as_ref().and_then(of).into_iter().collect();
    Lookup {
        name: "contexts",
        features: place(|i| i.context),
        sequences: place(|i| i.drawn),
        squares: Vec::new(),
        dim,
        optimizer,
        init: Init::Zeros,
    }
}

/// word2vec's first values.
pub(super) fn first_vectors(dim: usize) -> Init {
    Init::Uniform(0.5 / dim as f32)
}

impl Architecture for Item2VecConfig {
    type Model = Item2Vec;

    const READS: Reads = Reads::PAIRS;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_pairs("item2vec", schema, false, self.embedding_dim)
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let (dim, optimizer) = (self.embedding_dim, self.optimizer.clone());
        let features = schema.items.iter().map(|i| i.id).collect();
        let items = Lookup {
            name: "items",
            features,
            sequences: Vec::new(),
            squares: Vec::new(),
            dim,
            optimizer: optimizer.clone(),
            init: first_vectors(dim),
        };
        Slots(vec![items, contexts(schema, dim, optimizer)])
    }

    fn init(&self, _shapes: &InputShapes, _initial: &mut Initial, _device: &Device) -> Item2Vec {
        Item2Vec { dim: self.embedding_dim }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for Item2Vec {
    /// # Shapes
    /// - lookup 0: items `[B, 1, d]`; lookup 1: the items beside them `[B, 1, d]`, drawn `[B·n, d]`
    /// - output: logits `[B, 1]`, those of what was drawn `[B, n]`
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        let (item, context) = (inputs.flat(0), inputs.flat(1)); // [B, d]
        let sampled = inputs.sampled(&item, &context, inputs.sequences[1].first());
        Outputs { sampled, ..Outputs::one((item * context).sum_dim(1)) }
    }

    fn item_vectors(&self, inputs: &Inputs, _cold: Tensor<2>) -> Option<Tensor<2>> {
        Some(inputs.flat(0))
    }
}
