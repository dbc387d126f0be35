//! A tower a task: hidden layers of its own, then its head.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use burnrec_backend::Activation;

use crate::blocks::{Layers, LayersConfig, layer};
use crate::contract::{Head, InputShapes, Outputs};
use crate::error::{ModelError, setting};
use crate::initial::Initial;

/// Towers of the same widths.
#[derive(Module, Debug)]
pub struct Towers {
    layers: Vec<Layers>,
    scores: Vec<Linear>,
}

impl Towers {
    /// A tower over `inputs` numbers for each of the outputs that `shapes` names.
    pub fn new(
        inputs: usize,
        hidden: &[usize],
        dropout: f64,
        shapes: &InputShapes,
        initial: &mut Initial,
        device: &Device,
    ) -> Self {
        let dropout = if hidden.is_empty() { 0.0 } else { dropout };
        let config = LayersConfig { hidden: hidden.to_vec(), dropout, batch_norm: false };
        let mut own = |biases: &Vec<f32>| {
            let layers = config.init(inputs, initial, device);
            (layers, initial.linear_logit(config.output(inputs), biases, device))
        };
        let (layers, scores) = shapes.outputs.iter().map(&mut own).unzip();
        Self { layers, scores }
    }

    /// A head a task, over what `input` gives for the task of that number.
    ///
    /// # Shapes
    /// - inputs: `[B, i]`
    pub fn forward(&self, input: impl Fn(usize) -> Tensor<2>) -> Outputs {
        Outputs::of(self.logits(|task| (input(task), None)).into_iter().map(Head::Logit).collect())
    }

    /// The scores of each task, `[B, outputs]`, over inputs that may stand in two parts.
    pub fn logits(&self, input: impl Fn(usize) -> (Tensor<2>, Option<Tensor<2>>)) -> Vec<Tensor<2>> {
        let own = |(task, (layers, score)): (usize, (&Layers, &Linear))| {
            let (x, beside) = input(task);
            layer(score, layers.forward(x, beside), None, Activation::Identity)
        };
        self.layers.iter().zip(&self.scores).enumerate().map(own).collect()
    }
}

/// Refuses widths of layers that cannot work.
///
/// # Errors
/// [`ModelError::Setting`] naming the key.
pub fn check_widths(model: &'static str, key: &'static str, widths: &[usize], least: usize) -> Result<(), ModelError> {
    let bad = |problem: String| Err(ModelError::Setting { model, key: key.into(), problem });
    match widths.len() < least {
        true => bad(format!("must name at least {least} width")),
        false if widths.iter().any(|h| !(1..=65_536).contains(h)) => bad("every width must lie in 1..=65536".into()),
        false => Ok(()),
    }
}

/// Refuses what is no probability below 1.
///
/// # Errors
/// [`ModelError::Setting`] naming the key.
pub fn check_probability(model: &'static str, key: &'static str, value: f64) -> Result<(), ModelError> {
    match (0.0..1.0).contains(&value) {
        true => Ok(()),
        false => setting(model, key, "must lie in 0..1, 1 excluded"),
    }
}
