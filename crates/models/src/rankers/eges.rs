//! EGES (Wang et al., KDD 2018): an item's vector is a mean of its own and those of what describes it, weighed by item.
//!
//! ```text
//! W_0 of the item, W_1 … W_n of its fields [B, n+1, d] ─┐
//! a of the item [B, n+1] ─ softmax ─────────────────────⊗ ─ sum ─▶ H [B, d], then as item2vec
//! ```
//! Pairs come from random walks over the graph of transitions, see `[features.pairs]`. The weights are of each item, not of
//! each field. An item that no training row has is the mean of what describes it.

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use burnrec_embedding::{Init, Lookup, Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::item2vec::{check_pairs, contexts, first_vectors};
use crate::contract::{Architecture, Fields, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`Eges`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EgesConfig {
    /// Width d of the vectors.
    pub embedding_dim: usize,
    /// Whether the vectors are weighed; their plain mean, the paper's GES, otherwise.
    pub weighed: bool,
    /// Optimiser of the vectors and weights; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for EgesConfig {
    fn default() -> Self {
        Self { embedding_dim: 160, weighed: true, optimizer: None }
    }
}

/// Vectors of items and of what describes them.
#[derive(Module, Debug)]
pub struct Eges {
    /// The slot of the item's id.
    own: usize,
    weighed: bool,
}

impl Architecture for EgesConfig {
    type Model = Eges;

    const READS: Reads = Reads { fields: Fields::Described, ..Reads::PAIRS };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_pairs("eges", schema, true, self.embedding_dim)
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let (dim, optimizer) = (self.embedding_dim, self.optimizer.clone());
        let fields = schema.items.as_ref().map(|i| i.fields.clone()).unwrap_or_default();
        let lookup = |name, features: Vec<usize>, dim, init| Lookup {
            name,
            features,
            sequences: Vec::new(),
            squares: Vec::new(),
            dim,
            optimizer: optimizer.clone(),
            init,
        };
        let ids = schema.items.iter().map(|i| i.id).collect();
        let mut slots =
            vec![lookup("items", fields.clone(), dim, first_vectors(dim)), contexts(schema, dim, optimizer.clone())];
        if self.weighed {
            slots.push(lookup("weights", ids, fields.len(), Init::Zeros));
        }
        Slots(slots)
    }

    fn init(&self, shapes: &InputShapes, _initial: &mut Initial, _device: &Device) -> Eges {
        Eges { own: shapes.item.first().copied().flatten().unwrap_or(0), weighed: self.weighed }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Eges {
    /// The weights of the slots `[B, n+1]`.
    fn weights(&self, inputs: &Inputs) -> Tensor<2> {
        let [rows, slots, _] = inputs.lookups[0].dims();
        match self.weighed {
            true => softmax(inputs.flat(2), 1),
            false => {
                let device = inputs.lookups[0].device();
                Tensor::from_data(TensorData::new(vec![1.0 / slots as f32; rows * slots], [rows, slots]), &device)
            }
        }
    }
}

/// `[B, n+1, d]` by `[B, n+1]` to `[B, d]`.
fn weigh(vectors: Tensor<3>, weights: Tensor<2>) -> Tensor<2> {
    let [rows, _, dim] = vectors.dims();
    (vectors * weights.unsqueeze_dim::<3>(2)).sum_dim(1).reshape([rows, dim])
}

impl Model for Eges {
    /// # Shapes
    /// - lookup 0: the item and what describes it `[B, n+1, d]`; lookup 1: the items beside them `[B, 1, d]`, drawn
    ///   `[B·k, d]`; lookup 2: weights `[B, 1, n+1]`
    /// - output: logits `[B, 1]`, those of what was drawn `[B, k]`
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        let item = weigh(inputs.lookups[0].clone(), self.weights(inputs)); // [B, d]
        let context = inputs.flat(1); // [B, d]
        let sampled = inputs.sampled(&item, &context, inputs.sequences[1].first());
        Outputs { sampled, ..Outputs::one((item * context).sum_dim(1)) }
    }

    fn item_vectors(&self, inputs: &Inputs, cold: Tensor<2>) -> Option<Tensor<2>> {
        let [_, slots, _] = inputs.lookups[0].dims();
        let weights = self.weights(inputs); // [B, n+1]
        if slots < 2 {
            return Some(weigh(inputs.lookups[0].clone(), weights));
        }
        let share = |slot: usize| if slot == self.own { 0.0 } else { 1.0 / (slots - 1) as f32 };
        let shares = TensorData::new((0..slots).map(share).collect::<Vec<f32>>(), [1, slots]);
        let others = Tensor::<2>::from_data(shares, &cold.device()); // [1, n+1]
        let weights = weights * (cold.clone().neg() + 1.0) + cold.matmul(others);
        Some(weigh(inputs.lookups[0].clone(), weights))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(slots: usize) -> Eges {
        let device = Device::flex();
        let item = vec![Some(0), None, Some(0)];
        let shapes = InputShapes { lookups: vec![(slots, 2), (1, 2), (1, slots)], item, ..InputShapes::default() };
        EgesConfig { embedding_dim: 2, ..EgesConfig::default() }.init(&shapes, &mut Initial::new(1), &device)
    }

    fn inputs(vectors: Tensor<3>, weights: Tensor<3>) -> Inputs {
        let context = Tensor::<3>::from_floats([[[1.0, -1.0]]], &Device::flex());
        Inputs::slots(vec![vectors, context, weights], None)
    }

    #[test]
    fn with_nothing_that_describes_items_it_is_item2vec() {
        let device = Device::flex();
        let vectors = Tensor::<3>::from_floats([[[3.0, 1.0]]], &device);
        let logit: f32 =
            model(1).forward(&inputs(vectors, Tensor::from_floats([[[7.0]]], &device))).scores().into_scalar();
        assert_eq!(logit, 2.0);
    }

    #[test]
    fn vectors_are_weighed_by_the_item_and_cold_items_are_what_describes_them() {
        let device = Device::flex();
        let vectors = Tensor::<3>::from_floats([[[9.0, 9.0], [1.0, 0.0], [0.0, 3.0]]], &device);
        let weights = Tensor::<3>::from_floats([[[0.0, 2f32.ln(), 0.0]]], &device);
        let (model, inputs) = (model(3), inputs(vectors, weights));
        let vector = |cold: f32| -> Vec<f32> {
            model
                .item_vectors(&inputs, Tensor::from_floats([[cold]], &device))
                .unwrap()
                .into_data()
                .try_to_vec()
                .unwrap()
        };
        let close = |found: Vec<f32>, expected: [f32; 2]| found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(close(vector(0.0), [11.0 / 4.0, 12.0 / 4.0]));
        assert!(close(vector(1.0), [0.5, 1.5]));
    }
}
