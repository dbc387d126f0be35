//! AutoInt: fields that attend to each other, layer after layer (Song et al., CIKM 2019); with `hidden`, AutoInt+.
//!
//! ```text
//! vectors of ids [B, F, d]     ┐              per head h: a = softmax_k(⟨W_Q e_m, W_K e_k⟩), o_m = Σ_k a_mk W_V e_k
//! number · its vector [B, N, d] ┴─ e [B, M, d] ─ (ReLU([o¹; …; o^H] + W_Res e)) × depth ─ linear ─▶ a head a task
//! ```

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation::relu, activation::softmax};
use burnrec_backend::Activation;
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, vector_lookup};
use crate::blocks::{Layers, LayersConfig, Score, layer};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk, matrix_weights};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`AutoInt`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AutoIntConfig {
    /// Width d of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Interacting layers, 1..=16.
    pub layers: usize,
    /// Attention heads of a layer, 1..=64.
    pub heads: usize,
    /// Width d' of a head, 1..=1024.
    pub head_dim: usize,
    /// Whether products of queries and keys are divided by √d'; the paper's are not.
    pub scaled: bool,
    /// Width of each layer of the MLP beside attention; AutoInt without it where there is none.
    pub hidden: Vec<usize>,
    /// Probability that an activation of the MLP is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for AutoIntConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            layers: 3,
            heads: 2,
            head_dim: 32,
            scaled: false,
            hidden: Vec::new(),
            dropout: 0.0,
            optimizer: None,
        }
    }
}

/// A layer in which fields attend to each other.
#[derive(Module, Debug)]
struct Interacting {
    /// W_Q, W_K, W_V, W_Res side by side, `[d, 4·H·d']`.
    maps: Linear,
    heads: usize,
    /// What products of queries and keys are multiplied by.
    scale: f64,
}

impl Interacting {
    /// # Shapes
    /// - `fields`: `[B, M, d]`
    /// - output `[B, M, H·d']`
    fn forward(&self, fields: Tensor<3>) -> Tensor<3> {
        let [rows, count, width] = fields.dims();
        let mapped = layer(&self.maps, fields.reshape([rows * count, width]), None, Activation::Identity);
        let own = mapped.dims()[1] / 4;
        let part = |number: usize| mapped.clone().slice([0..rows * count, number * own..(number + 1) * own]);
        let by_head = |number| part(number).reshape([rows, count, self.heads, own / self.heads]).swap_dims(1, 2); // [B, H, M, d']
        let products = by_head(0).matmul(by_head(1).swap_dims(2, 3)) * self.scale; // [B, H, M, M]
        let mixed = softmax(products, 3).matmul(by_head(2)); // [B, H, M, d']
        let mixed = mixed.swap_dims(1, 2).reshape([rows, count, own]);
        relu(mixed + part(3).reshape([rows, count, own]))
    }
}

/// AutoInt.
#[derive(Module, Debug)]
pub struct AutoInt {
    /// A vector a number, `[1, N, d]`; none without numbers.
    numbers: Option<Param<Tensor<3>>>,
    layers: Vec<Interacting>,
    /// The MLP beside attention.
    deep: Option<Layers>,
    score: Score,
    fields: usize,
}

impl AutoIntConfig {
    fn deep(&self) -> LayersConfig {
        LayersConfig { hidden: self.hidden.clone(), dropout: self.dropout, batch_norm: false }
    }

    fn interacting(&self, width: usize, initial: &mut Initial, device: &Device) -> Interacting {
        let own = self.heads * self.head_dim;
        let maps = Linear { bias: None, ..initial.linear_logit(width, &vec![0.0; 4 * own], device) };
        let scale = if self.scaled { (self.head_dim as f64).sqrt().recip() } else { 1.0 };
        Interacting { maps, heads: self.heads, scale }
    }
}

impl Architecture for AutoIntConfig {
    type Model = AutoInt;

    const READS: Reads = Reads::TOWER;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        let model = "autoint";
        check_vectors(model, schema, self.embedding_dim, self.embedding_std)?;
        let bad =
            |key: &str, problem: &str| Err(ModelError::Setting { model, key: key.into(), problem: problem.into() });
        match () {
            () if !(1..=16).contains(&self.layers) => bad("layers", "must lie in 1..=16"),
            () if !(1..=64).contains(&self.heads) => bad("heads", "must lie in 1..=64"),
            () if !(1..=1024).contains(&self.head_dim) => bad("head_dim", "must lie in 1..=1024"),
            () => self.deep().check(model),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        Slots(vec![vector_lookup("fields", schema, self.embedding_dim, self.embedding_std, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> AutoInt {
        let (slots, dim) = shapes.lookups[0];
        let (fields, own) = (slots + shapes.numeric, self.heads * self.head_dim);
        let numbers =
            (shapes.numeric > 0).then(|| initial.normal(self.embedding_std, [1, shapes.numeric, dim], device));
        let widths = std::iter::once(dim).chain(std::iter::repeat(own)).take(self.layers);
        let layers = widths.map(|width| self.interacting(width, initial, device)).collect();
        let deep = (!self.hidden.is_empty()).then(|| self.deep().init(shapes.stacked(0), initial, device));
        let width = fields * own + self.hidden.last().copied().unwrap_or(0);
        AutoInt { numbers, layers, deep, score: Score::new(width, shapes, initial, device), fields }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for AutoInt {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, d]`, numeric `[B, N]`
    /// - trunk: what fields have become `[B, M·H·d']`, and the MLP's last layer `[B, h]` where there is one
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        let ids = inputs.lookups[0].clone();
        let fields = match (&self.numbers, &inputs.numeric) {
            (Some(vectors), Some(numeric)) => {
                Tensor::cat(vec![ids, numeric.clone().unsqueeze_dim::<3>(2) * vectors.val()], 1) // [B, M, d]
            }
            _ => ids,
        };
        let attended = self.layers.iter().fold(fields, |fields, layer| layer.forward(fields)).flatten(1, 2);
        let deep = self.deep.as_ref().map(|deep| deep.forward(inputs.flat(0), inputs.numeric.clone()));
        Trunk(std::iter::once(attended).chain(deep).collect())
    }

    fn heads(&self, trunk: Trunk, _inputs: &Inputs) -> Outputs {
        self.score.forward(trunk)
    }

    /// The maps work once a field, and every pair of fields is weighed and mixed in each head.
    fn products(&self, _positions: f64) -> f64 {
        let fields = self.fields as f64;
        let of = |layer: &Interacting| {
            let maps = matrix_weights(layer);
            let own = layer.maps.weight.dims()[1] as f64 / 4.0;
            maps * fields + 2.0 * fields * fields * own
        };
        let deep = self.deep.as_ref().map_or(0.0, matrix_weights);
        self.layers.iter().map(of).sum::<f64>() + deep + matrix_weights(&self.score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer_of(width: usize, device: &Device) -> Interacting {
        AutoIntConfig { heads: 2, head_dim: 3, ..AutoIntConfig::default() }.interacting(
            width,
            &mut Initial::new(4),
            device,
        )
    }

    fn read(t: Tensor<3>) -> Vec<f32> {
        t.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn fields_in_another_order_give_the_same_in_that_order() {
        let device = Device::flex();
        let layer = layer_of(4, &device);
        let fields = Initial::new(5).normal(1.0, [2, 3, 4], &device).val();
        let swap = |t: Tensor<3>| {
            let width = t.dims()[2];
            let field = |f: usize| t.clone().slice([0..2, f..f + 1, 0..width]);
            Tensor::cat(vec![field(2), field(0), field(1)], 1)
        };
        let (first, second) = (read(swap(layer.forward(fields.clone()))), read(layer.forward(swap(fields))));
        assert!(first.iter().zip(&second).all(|(a, b)| (a - b).abs() < 1e-5), "{first:?} {second:?}");
    }

    #[test]
    fn a_field_alone_attends_to_itself_and_to_nothing_else() {
        let device = Device::flex();
        let layer = layer_of(4, &device);
        let field = Initial::new(5).normal(1.0, [2, 1, 4], &device).val();
        let mapped = field.clone().reshape([2, 4]).matmul(layer.maps.weight.val());
        // a = 1: what is left of attention is the values.
        let expected = relu(mapped.clone().slice([0..2, 12..18]) + mapped.slice([0..2, 18..24])).unsqueeze_dim::<3>(1);
        let (found, expected) = (read(layer.forward(field)), read(expected));
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
    }
}
