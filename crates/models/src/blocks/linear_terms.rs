//! First-order terms: one weight an id (looked up), one weight a number (dense), one bias.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use burnrec_backend::{Activation, add_row, dense_residual, sum_fields};

use crate::contract::{InputShapes, Inputs};
use crate::initial::Initial;

/// `b + Σ_f w[id_f] + Σ_n u_n x_n`; the weights of numbers start at zero.
#[derive(Module, Debug)]
pub struct LinearTerms {
    /// Weights of the numbers `[N, 1]`; none where N is 0.
    numeric: Option<Param<Tensor<2>>>,
    /// The bias `[1]`.
    bias: Param<Tensor<1>>,
}

impl LinearTerms {
    /// Terms that start at the output's bias.
    pub fn new(shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Self {
        Self {
            numeric: (shapes.numeric > 0).then(|| initial.zeros([shapes.numeric, 1], device)),
            bias: initial.param(vec![shapes.bias()], [1], device),
        }
    }

    /// Sums the terms; `lookup` is the place of the weights of ids, of width 1.
    ///
    /// # Shapes
    /// - output `[B, 1]`
    pub fn forward(&self, inputs: &Inputs, lookup: usize) -> Tensor<2> {
        let ids = sum_fields(inputs.lookups[lookup].clone()); // [B, 1]
        let bias = self.bias.val();
        match (&self.numeric, &inputs.numeric) {
            (Some(weights), Some(numbers)) => {
                dense_residual(numbers.clone(), ids, weights.val(), bias, Activation::Identity)
            }
            _ => add_row(ids, bias.unsqueeze::<2>()),
        }
    }
}
