//! The activation unit of DIN (Zhou et al., KDD 2018): how much each behaviour counts for a candidate.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation::softmax};
use burnrec_backend::{Activation, Segments, segment_softmax, spread_add, spread_mul, weighted_sum};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blocks::{ActivationKind, AnyActivation, layer};
use crate::contract::matrix_weights;
use crate::initial::Initial;

/// What makes weights of scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// Nothing: their sum says how strong an interest is. The paper's form.
    #[default]
    None,
    /// A softmax over the row's positions, of scores divided by the root of the vectors' width. The released code's form.
    Softmax,
}

/// An MLP over `[q; k; q ⊙ k]` of candidate q and behaviour k, to one score a position.
///
/// The first layer is three maps, of q once a row and of k and `q ⊙ k` a position: the map of `q - k`, which many
/// implementations add, is a sum of the first two. Nothing is padded: positions are those that there are.
#[derive(Module, Debug)]
pub struct AttentionUnit {
    /// Of q, with the layer's bias `[d, h]`.
    query: Linear,
    /// Of k and `q ⊙ k` `[2d, h]`.
    keys: Linear,
    /// The layers behind the first.
    inner: Vec<Linear>,
    activations: Vec<AnyActivation>,
    score: Linear,
}

impl AttentionUnit {
    /// A unit over vectors of width d.
    pub fn new(
        width: usize,
        hidden: &[usize],
        activation: ActivationKind,
        initial: &mut Initial,
        device: &Device,
    ) -> Self {
        let first = hidden.first().copied().unwrap_or(1);
        let deviation = (2.0 / (3 * width).max(1) as f32).sqrt();
        let query = Linear {
            weight: initial.normal(deviation, [width, first], device),
            bias: Some(initial.zeros([first], device)),
        };
        let keys = Linear { weight: initial.normal(deviation, [2 * width, first], device), bias: None };
        let inner = hidden.windows(2).map(|w| initial.linear_relu(w[0], w[1], device)).collect();
        let activations = hidden.iter().map(|h| activation.init(*h, initial, device)).collect();
        let score = initial.linear_logit(hidden.last().copied().unwrap_or(1), &[0.0], device);
        Self { query, keys, inner, activations, score }
    }

    /// # Shapes
    /// - `keys`: `[positions, d]`, `query`: `[B, d]`
    /// - output: scores `[positions, 1]`
    pub fn forward(&self, keys: Tensor<2>, query: Tensor<2>, segments: &Segments) -> Tensor<2> {
        let products = spread_mul(keys.clone(), query.clone(), segments); // [positions, d]
        let of_keys = layer(&self.keys, keys, Some(products), Activation::Identity); // [positions, h]
        self.behind_keys(of_keys, query, segments)
    }

    /// What the first layer makes of the behaviours `[positions, h]`, with what it makes of the candidates, and the layers behind.
    fn behind_keys(&self, of_keys: Tensor<2>, query: Tensor<2>, segments: &Segments) -> Tensor<2> {
        let of_query = layer(&self.query, query, None, Activation::Identity); // [B, h]
        let (mut hidden, mut activations) = (of_keys, self.activations.iter());
        hidden = match activations.next() {
            Some(AnyActivation::Relu(_)) => spread_add(hidden, of_query, segments, Activation::Relu),
            Some(other) => other.forward(spread_add(hidden, of_query, segments, Activation::Identity)),
            None => spread_add(hidden, of_query, segments, Activation::Identity),
        };
        for (linear, activation) in self.inner.iter().zip(activations) {
            hidden = match activation {
                AnyActivation::Relu(_) => layer(linear, hidden, None, Activation::Relu),
                other => other.forward(layer(linear, hidden, None, Activation::Identity)),
            };
        }
        layer(&self.score, hidden, None, Activation::Identity)
    }

    /// [`AttentionUnit::pool`] of rows that all have one history.
    ///
    /// # Shapes
    /// - `keys`: `[L, d]`, `query`: `[B, d]`
    /// - output: `[B, d]`, zeros where L is 0
    pub fn pool_one(&self, keys: Tensor<2>, query: Tensor<2>, normalise: Normalise) -> Tensor<2> {
        pool_scored(keys.clone(), self.score_one(keys, query), normalise)
    }

    /// What the unit says of each behaviour of a history that all rows have. The history's share of the first layer is made
    /// once: `(q ⊙ k) W` is `q (k ⊙ W)`, a product of all candidates with all behaviours at once.
    ///
    /// # Shapes
    /// - `keys`: `[L, d]`, `query`: `[B, d]`
    /// - output: `[L, B]`
    pub fn score_one(&self, keys: Tensor<2>, query: Tensor<2>) -> Tensor<2> {
        let ([length, width], rows, device) = (keys.dims(), query.dims()[0], query.device());
        if length == 0 || rows == 0 {
            return Tensor::zeros([length, rows], &device);
        }
        let weight = self.keys.weight.val();
        let hidden = weight.dims()[1];
        let [alone, beside] = [0, width].map(|from| weight.clone().slice([from..from + width, 0..hidden])); // [d, h]
        let once = keys.clone().matmul(alone).reshape([1, length * hidden]);
        let both: Tensor<3> = keys.unsqueeze_dim::<3>(2) * beside.unsqueeze_dim::<3>(0); // [L, d, h]
        let both = both.swap_dims(0, 1).reshape([width, length * hidden]);
        let query_and_one = Tensor::cat(vec![query.clone(), Tensor::ones([rows, 1], &device)], 1);
        let of_keys = query_and_one.matmul(Tensor::cat(vec![both, once], 0)); // [B, L · h]
        let offsets: Vec<u32> = (0..=rows).map(|row| (row * length) as u32).collect();
        let segments = Segments::new(&offsets, &device);
        let scores = self.behind_keys(of_keys.reshape([rows * length, hidden]), query, &segments);
        scores.reshape([rows, length]).transpose()
    }

    /// Multiply-adds of a row with so many positions.
    pub fn products(&self, positions: f64) -> f64 {
        let once = matrix_weights(&self.query);
        (matrix_weights(self) - once) * positions + once
    }

    /// The behaviours of each row, weighed for its candidate.
    ///
    /// # Shapes
    /// - `keys`: `[positions, d]`, `query`: `[B, d]`
    /// - output: `[B, d]`, zeros for rows without behaviours
    pub fn pool(&self, keys: Tensor<2>, query: Tensor<2>, segments: &Segments, normalise: Normalise) -> Tensor<2> {
        weighted_sum(keys.clone(), self.weights(keys, query, segments, normalise), segments)
    }

    /// What each behaviour counts for the row's candidate.
    ///
    /// # Shapes
    /// - `keys`: `[positions, d]`, `query`: `[B, d]`
    /// - output: `[positions, 1]`
    pub fn weights(&self, keys: Tensor<2>, query: Tensor<2>, segments: &Segments, normalise: Normalise) -> Tensor<2> {
        let width = keys.dims()[1];
        weights_of(self.forward(keys, query, segments), width, segments, normalise)
    }
}

/// Behaviours that all rows have, weighed by what a unit said of them.
///
/// # Shapes
/// - `keys`: `[L, d]`, `scores`: `[L, B]`
/// - output: `[B, d]`, zeros where L is 0
pub fn pool_scored(keys: Tensor<2>, scores: Tensor<2>, normalise: Normalise) -> Tensor<2> {
    let ([length, width], rows) = (keys.dims(), scores.dims()[1]);
    if length == 0 || rows == 0 {
        return Tensor::zeros([rows, width], &keys.device());
    }
    let weights = match normalise {
        Normalise::None => scores,
        Normalise::Softmax => softmax(scores / (width as f32).sqrt(), 0),
    };
    weights.transpose().matmul(keys)
}

/// Scores `[positions, 1]` as weights.
fn weights_of(scores: Tensor<2>, width: usize, segments: &Segments, normalise: Normalise) -> Tensor<2> {
    match normalise {
        Normalise::None => scores,
        Normalise::Softmax => segment_softmax(scores / (width as f32).sqrt(), segments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Distribution, Tolerance};
    use burnrec_backend::segment_sum;

    fn random(rows: usize, device: &Device) -> Tensor<2> {
        Tensor::random([rows, 4], Distribution::Default, device)
    }

    #[test]
    fn the_order_of_a_history_and_other_rows_histories_change_nothing() {
        let device = Device::flex();
        let unit = AttentionUnit::new(4, &[6, 3], ActivationKind::Prelu, &mut Initial::new(1), &device);
        for normalise in [Normalise::None, Normalise::Softmax] {
            let (keys, query) = (random(5, &device), random(2, &device));
            let both = unit.pool(keys.clone(), query.clone(), &Segments::new(&[0, 3, 5], &device), normalise);
            let order = Tensor::<1, burn::tensor::Int>::from_ints([2, 0, 1], &device);
            let permuted = keys.slice([0..3, 0..4]).select(0, order);
            let alone = unit.pool(permuted, query.slice([0..1, 0..4]), &Segments::new(&[0, 3], &device), normalise);
            let first = both.slice([0..1, 0..4]).into_data();
            alone.into_data().assert_approx_eq::<f32>(&first, Tolerance::absolute(1e-6));
        }
    }

    #[test]
    fn one_history_for_all_rows_is_that_history_on_each_row() {
        let device = Device::flex();
        for (hidden, activation) in [(vec![6], ActivationKind::Relu), (vec![5, 3], ActivationKind::Prelu)] {
            let unit = AttentionUnit::new(4, &hidden, activation, &mut Initial::new(1), &device);
            for (normalise, length) in [(Normalise::None, 5), (Normalise::Softmax, 7), (Normalise::Softmax, 0)] {
                let (keys, query) = (random(length, &device), random(3, &device));
                let offsets: Vec<u32> = (0..=3).map(|row| row * length as u32).collect();
                let all = Tensor::cat(vec![keys.clone(); 3], 0);
                let apart = unit.pool(all, query.clone(), &Segments::new(&offsets, &device), normalise).into_data();
                let once = unit.pool_one(keys, query, normalise).into_data();
                once.assert_approx_eq::<f32>(&apart, Tolerance::absolute(1e-5));
            }
        }
    }

    #[test]
    fn weights_of_one_over_the_length_are_mean_pooling_and_no_history_gives_zeros() {
        let device = Device::flex();
        let mut initial = Initial::new(1);
        let mut unit = AttentionUnit::new(4, &[6], ActivationKind::Relu, &mut initial, &device);
        unit.score =
            Linear { weight: initial.zeros([6, 1], &device), bias: Some(initial.param(vec![0.25], [1], &device)) };
        let segments = Segments::new(&[0, 4, 4], &device);
        let (keys, query) = (random(4, &device), random(2, &device));
        let mean = (segment_sum(keys.clone(), &segments) / 4.0).into_data();
        for normalise in [Normalise::None, Normalise::Softmax] {
            let pooled = unit.pool(keys.clone(), query.clone(), &segments, normalise);
            assert_eq!(pooled.clone().slice([1..2, 0..4]).into_data().try_to_vec::<f32>().unwrap(), [0.0; 4]);
            pooled.into_data().assert_approx_eq::<f32>(&mean, Tolerance::absolute(1e-6));
        }
    }

    #[test]
    fn the_factored_first_layer_is_one_layer_over_the_concatenation() {
        let device = Device::flex();
        let unit = AttentionUnit::new(4, &[6], ActivationKind::Relu, &mut Initial::new(1), &device);
        let segments = Segments::new(&[0, 2, 5], &device);
        let (keys, query) = (random(5, &device), random(2, &device));
        let far = burnrec_backend::spread(query.clone(), &segments);
        let inputs = Tensor::cat(vec![far.clone(), keys.clone(), far * keys.clone()], 1);
        let weight = Tensor::cat(vec![unit.query.weight.val(), unit.keys.weight.val()], 0);
        let hidden = burn::tensor::activation::relu(inputs.matmul(weight));
        let expected = hidden.matmul(unit.score.weight.val()).into_data();
        let found = unit.forward(keys, query, &segments).into_data();
        found.assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
    }
}
