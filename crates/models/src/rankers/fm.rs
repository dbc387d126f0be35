//! Factorization machine (Rendle, ICDM 2010).
//!
//! ```text
//! z = b + Σ_i w_i x_i + Σ_{i<j} <v_i, v_j> x_i x_j
//! ```
//! i runs over the ids of the categorical fields (x = 1; of a field of several ids a row their weights, over their number where
//! it is pooled by the mean) and the numbers (x = the scaled value). Crosses enter the first-order term only. Ids of one field are
//! pairs too, as they are of two, unless the field is pooled by the maximum.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use burnrec_backend::pair_term;
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, linear_lookup, pair_lookup};
use crate::blocks::LinearTerms;
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`Fm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FmConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Optimiser of the first-order weights of ids; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linear_optimizer: Option<SparseOptimizer>,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for FmConfig {
    fn default() -> Self {
        Self { embedding_dim: 10, embedding_std: 0.01, linear_optimizer: None, optimizer: None }
    }
}

/// Factorization machine.
#[derive(Module, Debug)]
pub struct Fm {
    terms: LinearTerms,
    /// Vectors of the numbers `[N, k]`; none where N is 0.
    numeric: Option<Param<Tensor<2>>>,
}

impl Architecture for FmConfig {
    type Model = Fm;

    const READS: Reads = Reads::LINEAR;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_vectors("fm", schema, self.embedding_dim, self.embedding_std)
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let vectors = pair_lookup("factors", schema, self.embedding_dim, self.embedding_std, self.optimizer.clone());
        Slots(vec![linear_lookup("linear", schema, self.linear_optimizer.clone()), vectors])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Fm {
        let shape = [shapes.numeric, self.embedding_dim];
        Fm {
            terms: LinearTerms::new(shapes, initial, device),
            numeric: (shapes.numeric > 0).then(|| initial.normal(self.embedding_std, shape, device)),
        }
    }

    fn learns_as_it_predicts(&self) -> bool {
        true
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        let linear = self.linear_optimizer.iter().map(|o| ("linear_optimizer", o));
        linear.chain(self.optimizer.iter().map(|o| ("optimizer", o))).collect()
    }
}

impl Fm {
    /// Other vectors of the numbers.
    #[cfg(test)]
    pub(crate) fn with_numbers(self, numeric: Option<Param<Tensor<2>>>) -> Self {
        Self { numeric, ..self }
    }
}

impl Model for Fm {
    /// # Shapes
    /// - lookup 0: weights `[B, F + crosses, 1]`; lookup 1: vectors `[B, F, k]`; numeric `[B, N]`
    /// - output: logits `[B, 1]`
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        let mut vectors = inputs.lookups[1].clone(); // [B, F, k]
        if let (Some(own), Some(numbers)) = (&self.numeric, &inputs.numeric) {
            let scaled = numbers.clone().unsqueeze_dim::<3>(2) * own.val().unsqueeze::<3>(); // [B, N, k]
            vectors = Tensor::cat(vec![vectors, scaled], 1); // [B, F + N, k]
        }
        let logit = self.terms.forward(inputs, 0) + pair_term(vectors);
        Outputs::one(inputs.pairs_within(1).map_or(logit.clone(), |within| logit + within))
    }
}
