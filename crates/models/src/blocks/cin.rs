//! The compressed interaction network of xDeepFM (Lian et al., KDD 2018).

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation::relu};
use burnrec_backend::{Activation, outer_dense};

use crate::blocks::layer;
use crate::contract::matrix_weights;
use crate::initial::Initial;

/// `X^k_h = Σ_ij W^{k,h}_ij (X^{k-1}_i ⊙ X^0_j)`, every layer's maps summed over the vectors' width and weighed into one
/// logit.
///
/// Maps are kept number by number, `[B·D, H]`, so that a layer is one map of outer products of rows.
#[derive(Module, Debug)]
pub struct Cin {
    /// `[H_{k-1}·m, H_k]` a layer.
    weights: Vec<Param<Tensor<2>>>,
    /// What each layer's output counts `[maps, 1]`.
    scores: Vec<Linear>,
    /// Whether half of a layer's maps go out and the other half on.
    split: bool,
    rectify: bool,
}

impl Cin {
    /// Layers of `maps` maps over vectors of `fields` fields. With `split`, each layer but the last passes half of its
    /// maps on and gives the other half out. With `rectify` a ReLU follows each layer; the paper has none.
    pub fn new(
        fields: usize,
        maps: &[usize],
        split: bool,
        rectify: bool,
        initial: &mut Initial,
        device: &Device,
    ) -> Self {
        let (mut weights, mut scores) = (Vec::new(), Vec::new());
        let mut before = fields;
        for (number, &count) in maps.iter().enumerate() {
            // The variance of a layer's maps is that of its products.
            let deviation = (1.0 / (before * fields).max(1) as f32).sqrt();
            weights.push(initial.normal(deviation, [before * fields, count], device));
            let halved = split && number + 1 < maps.len();
            let out = if halved { count - count / 2 } else { count };
            // One bias a logit, which the first-order terms have.
            scores.push(Linear { bias: None, ..initial.linear_logit(out, &[0.0], device) });
            before = if halved { count / 2 } else { count };
        }
        Self { weights, scores, split, rectify }
    }

    /// Multiply-adds of a row whose vectors have this width.
    pub fn products(&self, dim: usize) -> f64 {
        let layers: f64 = self.weights.iter().map(matrix_weights).sum();
        layers * dim as f64 + matrix_weights(&self.scores)
    }

    /// The maps that each layer gives out, number by number.
    ///
    /// # Shapes
    /// - vectors `[B, m, D]`
    /// - output: one `[B·D, maps]` a layer
    pub fn maps(&self, vectors: Tensor<3>) -> Vec<Tensor<2>> {
        let [batch, fields, dim] = vectors.dims();
        let first: Tensor<2> = vectors.swap_dims(1, 2).reshape([batch * dim, fields]); // [B·D, m]
        let (mut last, mut out) = (first.clone(), Vec::new());
        for (number, weight) in self.weights.iter().enumerate() {
            let maps = outer_dense(last, first.clone(), weight.val()); // [B·D, H]
            let maps = if self.rectify { relu(maps) } else { maps };
            let (rows, count) = (batch * dim, maps.dims()[1]);
            if self.split && number + 1 < self.weights.len() {
                let half = count / 2;
                last = maps.clone().slice([0..rows, 0..half]);
                out.push(maps.slice([0..rows, half..count]));
            } else {
                last = maps.clone();
                out.push(maps);
            }
        }
        out
    }

    /// # Shapes
    /// - vectors `[B, m, D]`
    /// - output: logits `[B, 1]`
    pub fn forward(&self, vectors: Tensor<3>) -> Tensor<2> {
        let [batch, _, dim] = vectors.dims();
        let maps = self.maps(vectors);
        // Weighing before summing over D gives the same logit as the paper's order, without the sums.
        let logits = maps.into_iter().zip(&self.scores).map(|(maps, score)| {
            let each = layer(score, maps, None, Activation::Identity); // [B·D, 1]
            each.reshape([batch, dim]).sum_dim(1) // [B, 1]
        });
        logits.reduce(|a, b| a + b).unwrap_or_else(|| unreachable!("a network has a layer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(cin: &Cin, vectors: Tensor<3>) -> Vec<f32> {
        let [batch, _, dim] = vectors.dims();
        let maps = cin.maps(vectors).remove(0);
        let count = maps.dims()[1];
        maps.reshape([batch, dim, count]).sum_dim(1).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn a_map_of_ones_is_the_squared_norm_of_the_vectors_sum() {
        let device = Device::flex();
        let mut initial = Initial::new(1);
        let mut cin = Cin::new(3, &[2], false, false, &mut initial, &device);
        cin.weights = vec![initial.param([1.0, 0.0].repeat(9), [9, 2], &device)];
        let vectors = Tensor::<3>::from_floats([[[1.0, 2.0], [6.0, -2.0], [1.5, 3.0]]], &device);
        // (8.5, 3): 72.25 + 9 = 2 · 12.5 + 5 + 40 + 11.25.
        assert_eq!(sums(&cin, vectors), [81.25, 0.0]);
    }

    #[test]
    fn each_weight_belongs_to_one_pair_of_fields() {
        let device = Device::flex();
        let mut initial = Initial::new(1);
        let mut cin = Cin::new(3, &[1], false, false, &mut initial, &device);
        let mut weights = vec![0.0; 9];
        weights[2] = 1.0;
        cin.weights = vec![initial.param(weights, [9, 1], &device)];
        let vectors = Tensor::<3>::from_floats([[[1.0, 2.0], [6.0, -2.0], [1.5, 3.0]]], &device);
        // Fields 0 and 2: (1, 2) ⊙ (1.5, 3).
        assert_eq!(sums(&cin, vectors), [7.5]);
    }

    #[test]
    fn the_paper_s_size_on_criteo_has_its_number_of_weights() {
        let cin = Cin::new(39, &[200, 200, 200], false, false, &mut Initial::new(1), &Device::flex());
        assert_eq!(cin.weights.iter().map(|w| w.val().dims().iter().product::<usize>()).sum::<usize>(), 3_424_200);
    }
}
