//! A stack of fully connected layers with any activation: the MLP on top of sequence models.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::{Device, Tensor};
use burnrec_backend::Activation;

use crate::blocks::{ActivationKind, AnyActivation, layer};
use crate::initial::Initial;

/// Layers: linear, activation, dropout; the logit comes after them.
#[derive(Module, Debug)]
pub struct Tower {
    linear: Vec<Linear>,
    activations: Vec<AnyActivation>,
    dropout: Dropout,
}

impl Tower {
    /// Layers over `inputs` numbers.
    pub fn new(
        inputs: usize,
        hidden: &[usize],
        activation: ActivationKind,
        dropout: f64,
        initial: &mut Initial,
        device: &Device,
    ) -> Self {
        let widths = std::iter::once(inputs).chain(hidden.iter().copied());
        let linear = widths.zip(hidden).map(|(i, o)| initial.linear_relu(i, *o, device)).collect();
        let activations = hidden.iter().map(|h| activation.init(*h, initial, device)).collect();
        Self { linear, activations, dropout: DropoutConfig::new(dropout).init() }
    }

    /// # Shapes
    /// - `x`: `[B, inputs]`
    /// - output `[B, hidden.last()]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.linear.iter().zip(&self.activations).fold(x, |x, (linear, activation)| {
            let x = match activation {
                AnyActivation::Relu(_) => layer(linear, x, None, Activation::Relu),
                other => other.forward(layer(linear, x, None, Activation::Identity)),
            };
            self.dropout.forward(x)
        })
    }
}
