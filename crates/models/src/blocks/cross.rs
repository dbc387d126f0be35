//! The cross layer of DCN V2 (Wang et al., WWW 2021): full, of low rank, and as a mixture of low-rank experts.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation};
use burnrec_backend::{Activation, cross_term, product};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blocks::layer;
use crate::initial::Initial;

/// What scales an expert of a mixture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Nothing.
    Constant,
    /// The sigmoid of a linear score of the layer's input.
    Sigmoid,
    /// The softmax over the experts of such scores.
    #[default]
    Softmax,
}

/// The function inside an expert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Inner {
    /// None.
    Identity,
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// `max(z, 0)`.
    Relu,
}

/// The linear part of a cross layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CrossShape {
    /// `W x + b`.
    Full,
    /// `U Vᵀx + b` of rank r.
    LowRank(usize),
    /// `Σ_i G_i(x) (U_i g(C_i g(V_iᵀ x)) + b)` of rank r.
    Mixture {
        /// r.
        rank: usize,
        /// How many.
        experts: usize,
        /// G.
        gate: Gate,
        /// g.
        inner: Inner,
    },
}

/// `x_{l+1} = x_0 ⊙ (linear part of x_l) + x_l`.
#[derive(Module, Debug)]
pub struct Cross {
    /// Down to the experts' ranks side by side `[d, K·r]`; none in a full layer.
    down: Option<Param<Tensor<2>>>,
    /// `[r, r]` an expert; none outside of mixtures.
    middle: Vec<Param<Tensor<2>>>,
    /// Scores of the experts `[d, K]`; none without a gate.
    gate: Option<Param<Tensor<2>>>,
    /// Up to the layer's width `[d or K·r, d]`, and b.
    up: Linear,
    #[module(skip)]
    shape: CrossShape,
}

impl Cross {
    /// A layer of width d.
    pub fn new(width: usize, shape: CrossShape, initial: &mut Initial, device: &Device) -> Self {
        let he = |inputs: usize| (2.0 / inputs.max(1) as f32).sqrt();
        let (rank, experts) = match shape {
            CrossShape::Full => (width, 1),
            CrossShape::LowRank(rank) => (rank, 1),
            CrossShape::Mixture { rank, experts, .. } => (rank, experts),
        };
        let down = (shape != CrossShape::Full).then(|| initial.normal(he(width), [width, experts * rank], device));
        let (middle, gate) = match shape {
            CrossShape::Mixture { gate, .. } => (
                (0..experts).map(|_| initial.normal(he(rank), [rank, rank], device)).collect(),
                (gate != Gate::Constant).then(|| initial.zeros([width, experts], device)),
            ),
            _ => (Vec::new(), None),
        };
        let up = Linear {
            weight: initial.normal(he(rank), [experts * rank, width], device),
            bias: Some(initial.zeros([width], device)),
        };
        Self { down, middle, gate, up, shape }
    }

    /// # Shapes
    /// - `x0`: the network's input `[B, d]`, the same in every layer; `x`: `[B, d]`
    /// - output `[B, d]`
    pub fn forward(&self, x0: Tensor<2>, x: Tensor<2>) -> Tensor<2> {
        let Some(down) = &self.down else {
            return cross_term(x0, layer(&self.up, x.clone(), None, Activation::Identity), x);
        };
        let low = product(x.clone(), down.val()); // [B, K·r]
        let CrossShape::Mixture { rank, experts, inner, .. } = self.shape else {
            return cross_term(x0, layer(&self.up, low, None, Activation::Identity), x);
        };
        let (rows, gates) = (x.dims()[0], self.gates(&x)); // [B, K]
        let each = (0..experts).map(|e| {
            let own = apply(inner, low.clone().slice([0..rows, e * rank..(e + 1) * rank])); // [B, r]
            let own = apply(inner, product(own, self.middle[e].val())); // [B, r]
            match &gates {
                Some(gates) => own * gates.clone().slice([0..rows, e..e + 1]),
                None => own,
            }
        });
        let stacked = Tensor::cat(each.collect(), 1); // [B, K·r]
        let total = match gates {
            Some(gates) => gates.sum_dim(1), // [B, 1]
            None => Tensor::full([rows, 1], experts as f32, &x.device()),
        };
        let bias = self.up.bias.as_ref().map(|b| total * b.val().unsqueeze::<2>()); // [B, d]
        let up = product(stacked, self.up.weight.val());
        cross_term(x0, bias.map_or(up.clone(), |b| up + b), x)
    }

    fn gates(&self, x: &Tensor<2>) -> Option<Tensor<2>> {
        let scores = product(x.clone(), self.gate.as_ref()?.val()); // [B, K]
        Some(match self.shape {
            CrossShape::Mixture { gate: Gate::Sigmoid, .. } => activation::sigmoid(scores),
            _ => activation::softmax(scores, 1),
        })
    }
}

fn apply(inner: Inner, z: Tensor<2>) -> Tensor<2> {
    match inner {
        Inner::Identity => z,
        Inner::Tanh => z.tanh(),
        Inner::Relu => activation::relu(z),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Distribution, Tolerance};

    fn full(width: usize, weight: Vec<f32>, initial: &mut Initial, device: &Device) -> Cross {
        let mut cross = Cross::new(width, CrossShape::Full, initial, device);
        cross.up.weight = initial.param(weight, [width, width], device);
        cross
    }

    #[test]
    fn a_zero_layer_is_the_identity_and_a_unit_layer_squares() {
        let (device, mut initial) = (Device::flex(), Initial::new(1));
        let x = Tensor::<2>::from_floats([[2.0, -3.0]], &device);
        let zero = full(2, vec![0.0; 4], &mut initial, &device);
        assert_eq!(zero.forward(x.clone(), x.clone()).into_data(), x.into_data());
        let unit = full(2, vec![1.0, 0.0, 0.0, 1.0], &mut initial, &device);
        let x = Tensor::<2>::from_floats([[2.0, -3.0]], &device);
        let squared: Vec<f32> = unit.forward(x.clone(), x.clone()).into_data().try_to_vec().unwrap();
        assert_eq!(squared, [6.0, 6.0]);
        // A second layer multiplies by the first input again, not by its own.
        let cubed: Vec<f32> = unit.forward(x.clone(), unit.forward(x.clone(), x)).into_data().try_to_vec().unwrap();
        assert_eq!(cubed, [18.0, -12.0]);
    }

    #[test]
    fn a_mixture_is_the_formula_written_out() {
        let (device, mut initial) = (Device::flex(), Initial::new(3));
        let shape = CrossShape::Mixture { rank: 2, experts: 3, gate: Gate::Sigmoid, inner: Inner::Tanh };
        let mut cross = Cross::new(4, shape, &mut initial, &device);
        cross.gate = Some(initial.normal(1.0, [4, 3], &device));
        cross.up.bias = Some(initial.normal(1.0, [4], &device));
        let random = || Tensor::<2>::random([5, 4], Distribution::Default, &device);
        let (x0, x) = (random(), random());
        let mut expected = x.clone();
        for e in 0..3 {
            let down = cross.down.as_ref().unwrap().val().slice([0..4, 2 * e..2 * e + 2]);
            let low = x.clone().matmul(down).tanh().matmul(cross.middle[e].val()).tanh();
            let up = low.matmul(cross.up.weight.val().slice([2 * e..2 * e + 2, 0..4]));
            let inside = up + cross.up.bias.as_ref().unwrap().val().unsqueeze::<2>();
            let gate = cross.gate.as_ref().unwrap().val().slice([0..4, e..e + 1]);
            expected = expected + x0.clone() * inside * activation::sigmoid(x.clone().matmul(gate));
        }
        cross.forward(x0, x).into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-5));
    }

    #[test]
    fn a_low_rank_layer_is_the_full_one_with_the_product_of_its_factors() {
        let (device, mut initial) = (Device::flex(), Initial::new(3));
        let low = Cross::new(4, CrossShape::LowRank(2), &mut initial, &device);
        let mut whole = Cross::new(4, CrossShape::Full, &mut initial, &device);
        let weight: Vec<f32> =
            low.down.as_ref().unwrap().val().matmul(low.up.weight.val()).into_data().try_to_vec().unwrap();
        whole.up.weight = initial.param(weight, [4, 4], &device);
        let random = || Tensor::<2>::random([5, 4], Distribution::Default, &device);
        let (x0, x) = (random(), random());
        let (found, expected) = (low.forward(x0.clone(), x.clone()), whole.forward(x0, x));
        found.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-5));
    }
}
