//! The linear end of a model: a head a task, of as many scores as the task has outputs.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Device;
use burnrec_backend::Activation;

use crate::blocks::layer;
use crate::contract::{InputShapes, Outputs, Trunk};
use crate::initial::Initial;

/// `y = hW + b`, cut into heads.
#[derive(Module, Debug)]
pub struct Score {
    /// W `[h, Σ widths]`, b.
    linear: Linear,
    /// Scores of each head.
    widths: Vec<usize>,
}

impl Score {
    /// Heads over `width` numbers a row.
    pub fn new(width: usize, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Self {
        Self { linear: initial.linear_logit(width, &shapes.biases(), device), widths: shapes.widths() }
    }

    /// # Shapes
    /// - `trunk`: one or two tensors of `width` numbers a row together
    pub fn forward(&self, trunk: Trunk) -> Outputs {
        let mut parts = trunk.0.into_iter();
        match (parts.next(), parts.next()) {
            (Some(first), second) => {
                Outputs::split(layer(&self.linear, first, second, Activation::Identity), &self.widths)
            }
            (None, _) => unreachable!("heads stand on a trunk"),
        }
    }
}
