//! The residual unit of Deep Crossing (Shan et al., KDD 2016).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation::relu};

use burnrec_backend::{Activation, dense_residual};

use crate::blocks::layer;
use crate::initial::Initial;

/// `ReLU(s + W1·ReLU(W0·s + b0) + b1)`: the sum comes before the last ReLU, as in the paper.
#[derive(Module, Debug)]
pub struct Residual {
    /// W0 `[d, h]`, b0 `[h]`.
    inner: Linear,
    /// W1 `[h, d]`, b1 `[d]`; starts small, so that the unit starts near ReLU.
    outer: Linear,
}

impl Residual {
    /// A unit of width d with h inner units.
    pub fn new(width: usize, hidden: usize, initial: &mut Initial, device: &Device) -> Self {
        let inner = initial.linear_relu(width, hidden, device);
        let deviation = 0.1 * (2.0 / hidden.max(1) as f32).sqrt();
        let weight = initial.normal(deviation, [hidden, width], device);
        let outer = Linear { weight, bias: Some(initial.zeros([width], device)) };
        Self { inner, outer }
    }

    /// # Shapes
    /// - `s`: `[B, d]`
    /// - output `[B, d]`
    pub fn forward(&self, s: Tensor<2>) -> Tensor<2> {
        let inner = layer(&self.inner, s.clone(), None, Activation::Relu); // [B, h]
        let outer = &self.outer;
        match &outer.bias {
            Some(bias) => dense_residual(inner, s, outer.weight.val(), bias.val(), Activation::Relu),
            None => relu(s + inner.matmul(outer.weight.val())),
        } // [B, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_a_zero_outer_layer_it_is_the_identity_on_non_negative_input() {
        let device = Device::flex();
        let mut initial = Initial::new(1);
        let mut unit = Residual::new(3, 5, &mut initial, &device);
        unit.outer.weight = initial.zeros([5, 3], &device);
        let s = Tensor::<2>::from_floats([[0.5, 0.0, 2.0]], &device);
        assert_eq!(unit.forward(s.clone()).into_data(), s.into_data());
    }
}
