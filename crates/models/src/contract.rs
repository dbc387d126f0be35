//! What every model takes and gives.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;

use crate::error::ModelError;
use crate::initial::Initial;

/// The inputs of a batch of B rows.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// One leaf a lookup of the model, in the order it declared them: `[B, slots, dim]`.
    pub lookups: Vec<Tensor<3>>,
    /// The numeric inputs `[B, N]`; none where N is 0.
    pub numeric: Option<Tensor<2>>,
}

impl Inputs {
    /// A lookup with its slots side by side: `[B, slots · dim]`.
    pub fn flat(&self, lookup: usize) -> Tensor<2> {
        self.lookups[lookup].clone().flatten(1, 2)
    }

    /// A lookup and the numbers side by side: `[B, slots · dim + N]`.
    pub fn stacked(&self, lookup: usize) -> Tensor<2> {
        match &self.numeric {
            Some(numeric) => Tensor::cat(vec![self.flat(lookup), numeric.clone()], 1),
            None => self.flat(lookup),
        }
    }
}

/// What a model gives.
#[derive(Clone, Debug)]
pub struct Output {
    /// Log-odds (or the number itself, in regression) of each task: `[B, T]`, no sigmoid.
    pub logits: Tensor<2>,
    /// Losses of the model's own, each `[1]`, added to the objective.
    pub auxiliary: Vec<Tensor<1>>,
}

impl Output {
    /// Logits alone.
    pub fn logits(logits: Tensor<2>) -> Self {
        Self { logits, auxiliary: Vec::new() }
    }
}

/// What a model needs to know of its inputs to make its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct InputShapes {
    /// Slots and width of each lookup.
    pub lookups: Vec<(usize, usize)>,
    /// Numeric inputs.
    pub numeric: usize,
    /// Where the output's bias starts: the log-odds of the training rows' base rate, or their mean.
    pub output_bias: f32,
}

impl InputShapes {
    /// Shapes of a model's lookups over a schema.
    pub fn new(slots: &Slots, schema: &Schema, output_bias: f32) -> Self {
        let lookups = slots.0.iter().map(|l| (l.features.len(), l.dim)).collect();
        Self { lookups, numeric: schema.numeric.len(), output_bias }
    }

    /// Width of [`Inputs::stacked`].
    pub fn stacked(&self, lookup: usize) -> usize {
        let (slots, dim) = self.lookups[lookup];
        slots * dim + self.numeric
    }
}

/// What a model predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// A click, a conversion: 0 or 1.
    Binary,
    /// A number.
    Regression,
}

/// A model's settings: what it looks up, and how its weights are made.
pub trait Architecture {
    /// The module that these settings make.
    type Model: Ranker;

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`ModelError::Setting`] naming the key.
    fn check(&self, schema: &Schema) -> Result<(), ModelError>;

    /// Which vectors the model looks up.
    fn slots(&self, schema: &Schema) -> Slots;

    /// The module, with every weight drawn from `initial`.
    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Self::Model;

    /// The optimisers of its own that the settings name, with their keys.
    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        Vec::new()
    }
}

/// A model.
pub trait Ranker: Module {
    /// Inputs to logits.
    ///
    /// # Shapes
    /// - `inputs`: see [`Inputs`]
    /// - output: logits `[B, T]`
    fn forward(&self, inputs: &Inputs) -> Output;
}
