//! Experts: multi-layer networks of the same widths over the same input, all at once.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::{Device, Tensor, activation::softmax};
use burnrec_backend::{Activation, layer_each, mixtures};

use crate::blocks::layer;
use crate::initial::Initial;

/// E stacks of linear layers and ReLUs. The first layers are one product, since they share their input; each later layer is
/// one batched product.
#[derive(Module, Debug)]
pub struct Experts {
    /// The first layer of every expert side by side, `[i, E·h]`.
    first: Linear,
    /// Weights `[E, h, h']` of each later layer.
    weights: Vec<Param<Tensor<3>>>,
    /// Biases `[E, 1, h']`.
    biases: Vec<Param<Tensor<3>>>,
    count: usize,
}

impl Experts {
    /// `count` experts over `inputs` numbers; `hidden` names at least one width.
    pub fn new(count: usize, inputs: usize, hidden: &[usize], initial: &mut Initial, device: &Device) -> Self {
        let width = hidden.first().copied().unwrap_or(1);
        let first = initial.linear_relu(inputs, count * width, device);
        let later = || hidden.windows(2);
        let weights =
            later().map(|w| initial.normal((2.0 / w[0] as f32).sqrt(), [count, w[0], w[1]], device)).collect();
        let biases = later().map(|w| initial.zeros([count, 1, w[1]], device)).collect();
        Self { first, weights, biases, count }
    }

    /// The weights of all first layers, `[i, E·h]`.
    #[cfg(test)]
    pub fn first_weights(&self) -> Tensor<2> {
        self.first.weight.val()
    }

    /// # Shapes
    /// - `x`: `[B, i]`; `beside`: `[B, j]`, more inputs
    /// - output `[B, E·h]`, expert after expert
    pub fn forward(&self, x: Tensor<2>, beside: Option<Tensor<2>>) -> Tensor<2> {
        let first = layer(&self.first, x, beside, Activation::Relu); // [B, E·h]
        let layers = self.weights.iter().zip(&self.biases);
        layers.fold(first, |x, (weight, bias)| layer_each(x, weight.val(), bias.val(), Activation::Relu)) // [B, E·h']
    }
}

/// How much of each expert a task takes: `softmax(x·W_g)`, over the experts (Ma et al., KDD 2018).
#[derive(Module, Debug)]
pub struct ExpertGate {
    /// `[i, E]`, without a bias.
    weight: Linear,
    dropout: Dropout,
}

impl ExpertGate {
    /// A gate over `inputs` numbers and `count` experts. In training each share is dropped with probability `dropout`, and
    /// the rest scaled to a sum of 1, so that no expert takes all (Zhao et al., RecSys 2019).
    pub fn new(inputs: usize, count: usize, dropout: f64, initial: &mut Initial, device: &Device) -> Self {
        let weight = Linear { bias: None, ..initial.linear_logit(inputs, &vec![0.0; count], device) };
        Self { weight, dropout: DropoutConfig::new(dropout).init() }
    }

    /// # Shapes
    /// - `x`: `[B, i]`; `beside`: `[B, j]`, more inputs
    /// - output `[B, E]`, rows of sum 1; of 0 where dropout took all shares of a row
    pub fn forward(&self, x: Tensor<2>, beside: Option<Tensor<2>>) -> Tensor<2> {
        let shares = softmax(layer(&self.weight, x, beside, Activation::Identity), 1); // [B, E]
        if self.dropout.prob == 0.0 {
            return shares;
        }
        let left = self.dropout.forward(shares);
        left.clone() / left.sum_dim(1).clamp_min(1e-9)
    }

    /// Takes the weights away, so that all experts have equal shares.
    #[cfg(test)]
    pub fn set_equal(&mut self, initial: &mut Initial, device: &Device) {
        self.weight.weight = initial.zeros(self.weight.weight.dims(), device);
    }

    /// The experts, each by its share.
    ///
    /// # Shapes
    /// - `shares`: `[B, E]`; `experts`: `[B, E·h]`
    /// - output `[B, h]`
    pub fn mix(shares: Tensor<2>, experts: Tensor<2>) -> Tensor<2> {
        mixtures(vec![shares], experts).swap_remove(0)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::activation::relu;

    use super::*;

    fn read<const D: usize>(t: Tensor<D>) -> Vec<f32> {
        t.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn experts_at_once_equal_each_by_itself() {
        let device = Device::flex();
        let mut initial = Initial::new(3);
        let experts = Experts::new(3, 4, &[5, 2], &mut initial, &device);
        let x = initial.normal(1.0, [6, 4], &device).val();
        let all = experts.forward(x.clone(), None);
        let (weight, bias) = (experts.first.weight.val(), experts.first.bias.as_ref().unwrap().val());
        for e in 0..3 {
            let own = x.clone().matmul(weight.clone().slice([0..4, e * 5..e * 5 + 5]));
            let hidden = relu(own + bias.clone().narrow(0, e * 5, 5).unsqueeze());
            let second = experts.weights[0].val().slice([e..e + 1, 0..5, 0..2]).reshape([5, 2]);
            let expected = read(relu(hidden.matmul(second)));
            let found = read(all.clone().slice([0..6, e * 2..e * 2 + 2]));
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?} {expected:?}");
        }
    }

    #[test]
    fn gates_without_weights_give_the_mean_of_the_experts() {
        let device = Device::flex();
        let mut initial = Initial::new(3);
        let mut gate = ExpertGate::new(4, 3, 0.0, &mut initial, &device);
        let (x, experts) = (initial.normal(1.0, [6, 4], &device).val(), initial.normal(1.0, [6, 6], &device).val());
        let shares = gate.forward(x.clone(), None);
        assert!(read(shares.sum_dim(1)).iter().all(|sum| (sum - 1.0).abs() < 1e-6));
        gate.set_equal(&mut initial, &device);
        let found = read(ExpertGate::mix(gate.forward(x, None), experts.clone()));
        let mean = read(experts.reshape([6, 3, 2]).mean_dim(1));
        assert!(found.iter().zip(&mean).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {mean:?}");
    }
}
