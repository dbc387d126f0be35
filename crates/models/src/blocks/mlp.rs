//! A stack of fully connected layers: linear, batch norm, ReLU, dropout.

use burn::module::Module;
use burn::nn::{BatchNorm, Dropout, DropoutConfig, Linear};
use burn::tensor::{Device, Tensor, activation::relu};
use burnrec_backend::{Activation, dense, dense_beside, dense_plus, dense_residual, product};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`Layers`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LayersConfig {
    /// Width of each hidden layer.
    pub hidden: Vec<usize>,
    /// Probability that an activation is dropped in training, 0..1.
    pub dropout: f64,
    /// Whether activations are normalised over the batch (Ioffe & Szegedy 2015) before the ReLU.
    pub batch_norm: bool,
}

impl Default for LayersConfig {
    fn default() -> Self {
        Self { hidden: vec![256, 128, 64], dropout: 0.0, batch_norm: false }
    }
}

/// Hidden layers; the logit comes after them.
#[derive(Module, Debug)]
pub struct Layers {
    /// Weights `[in, out]` and biases `[out]`.
    linear: Vec<Linear>,
    /// One a layer, or none.
    norm: Vec<BatchNorm>,
    dropout: Dropout,
}

impl LayersConfig {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`ModelError::Setting`] naming the key.
    pub fn check(&self, model: &'static str) -> Result<(), ModelError> {
        let bad =
            |key: &str, problem: &str| Err(ModelError::Setting { model, key: key.into(), problem: problem.into() });
        match self {
            _ if self.hidden.iter().any(|h| !(1..=65_536).contains(h)) => {
                bad("hidden", "every width must lie in 1..=65536")
            }
            _ if self.hidden.is_empty() && self.dropout > 0.0 => {
                bad("dropout", "has no meaning without hidden layers; remove it")
            }
            _ if self.hidden.is_empty() && self.batch_norm => {
                bad("batch_norm", "has no meaning without hidden layers; remove it")
            }
            _ if !(0.0..1.0).contains(&self.dropout) => bad("dropout", "must lie in 0..1, 1 excluded"),
            _ => Ok(()),
        }
    }

    /// Layers over `inputs` numbers.
    pub fn init(&self, inputs: usize, initial: &mut Initial, device: &Device) -> Layers {
        let widths = || std::iter::once(inputs).chain(self.hidden.iter().copied());
        let linear = widths().zip(&self.hidden).map(|(i, o)| initial.linear_relu(i, *o, device)).collect();
        let mut norm = |width: &usize| initial.batch_norm(*width, device);
        let norm = if self.batch_norm { self.hidden.iter().map(&mut norm).collect() } else { Vec::new() };
        Layers { linear, norm, dropout: DropoutConfig::new(self.dropout).init() }
    }

    /// Width of the output over `inputs` numbers.
    pub fn output(&self, inputs: usize) -> usize {
        self.hidden.last().copied().unwrap_or(inputs)
    }
}

impl Layers {
    /// These layers with the weights of others, and their own dropout; none where a layer has another shape.
    pub fn with_weights_of(&self, other: &Self) -> Option<Self> {
        let shapes = |layers: &Self| layers.linear.iter().map(|l| l.weight.dims()).collect::<Vec<_>>();
        let same = shapes(self) == shapes(other) && self.norm.len() == other.norm.len();
        same.then(|| Self { linear: other.linear.clone(), norm: other.norm.clone(), dropout: self.dropout.clone() })
    }

    /// # Shapes
    /// - `x`: `[B, i]`; `beside`: `[B, j]`, more inputs of the first layer; i + j the width it was made for
    /// - output `[B, hidden.last()]`
    pub fn forward(&self, x: Tensor<2>, beside: Option<Tensor<2>>) -> Tensor<2> {
        if self.linear.is_empty() {
            return match beside {
                Some(beside) => Tensor::cat(vec![x, beside], 1),
                None => x,
            };
        }
        let mut beside = beside;
        self.linear.iter().enumerate().fold(x, |x, (number, linear)| {
            let x = match self.norm.get(number) {
                Some(norm) => relu(normalise(norm, layer(linear, x, beside.take(), Activation::Identity))),
                None => layer(linear, x, beside.take(), Activation::Relu),
            }; // [B, out]
            self.dropout.forward(x)
        })
    }
}

/// Batch norm of one row, which has no variance: by the running statistics, which it leaves alone.
fn by_running(norm: &BatchNorm, x: Tensor<2>) -> Tensor<2> {
    let deviation = (norm.running_var.value_sync() + norm.epsilon).sqrt();
    let centred = x - norm.running_mean.value_sync().unsqueeze::<2>();
    centred / deviation.unsqueeze::<2>() * norm.gamma.val().unsqueeze::<2>() + norm.beta.val().unsqueeze::<2>()
}

/// Batch norm, its running statistics settled at once: Burn keeps an update for the thread that made it, and steps
/// run on whichever worker of the pool is free.
fn normalise(norm: &BatchNorm, x: Tensor<2>) -> Tensor<2> {
    if x.dims()[0] == 1 {
        return by_running(norm, x);
    }
    let y = norm.forward(x);
    drop((norm.running_mean.value_sync(), norm.running_var.value_sync()));
    y
}

/// `act([x, beside]·W + b)`.
///
/// # Shapes
/// - `x`: `[B, i]`; `beside`: `[B, j]`
/// - output `[B, out]`
pub fn layer(linear: &Linear, x: Tensor<2>, beside: Option<Tensor<2>>, activation: Activation) -> Tensor<2> {
    let (weight, device) = (linear.weight.val(), x.device());
    let bias = match &linear.bias {
        Some(bias) => bias.val(),
        None if beside.is_none() && activation == Activation::Identity => return product(x, weight),
        None => Tensor::zeros([weight.dims()[1]], &device),
    };
    match beside {
        Some(beside) => dense_beside(x, beside, weight, bias, activation),
        None => dense(x, weight, bias, activation),
    }
}

/// `x·W + b + sum`: a score that stands on others.
///
/// # Shapes
/// - `x`: `[B, i]`; `sum`: `[B, out]`
/// - output `[B, out]`
pub fn layer_onto(linear: &Linear, x: Tensor<2>, sum: Tensor<2>) -> Tensor<2> {
    let weight = linear.weight.val();
    match &linear.bias {
        Some(bias) => dense_residual(x, sum, weight, bias.val(), Activation::Identity),
        None => dense_plus(x, sum, weight),
    }
}
