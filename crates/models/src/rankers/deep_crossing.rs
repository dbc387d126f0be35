//! Deep Crossing (Shan et al., KDD 2016): embed, stack, residual units, one logit.
//!
//! ```text
//! embedded [B, F·k] ┐
//! numeric  [B, N]   ┴─ stack [B, F·k+N] ─ residual × depth ─ linear ─▶ logit [B, 1]
//! ```
//! Differs from the paper: ids are looked up instead of projected from one-hot, every field has width k,
//! and the ReLU on the embedding is an option, off by default: a looked-up coordinate below zero would
//! get no gradient ever again.

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation::relu};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, vector_lookup};
use crate::blocks::{LayersConfig, Residual, Score};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`DeepCrossing`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeepCrossingConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Whether looked-up vectors pass a ReLU, as the paper's embedding layer does.
    pub embedding_relu: bool,
    /// Inner width of each residual unit, one entry a unit.
    pub hidden: Vec<usize>,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for DeepCrossingConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            embedding_relu: false,
            hidden: vec![512, 512, 256, 128, 64],
            optimizer: None,
        }
    }
}

/// Deep Crossing.
#[derive(Module, Debug)]
pub struct DeepCrossing {
    residual: Vec<Residual>,
    score: Score,
    embedding_relu: bool,
}

impl Architecture for DeepCrossingConfig {
    type Model = DeepCrossing;

    const READS: Reads = Reads::TOWER;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_vectors("deep_crossing", schema, self.embedding_dim, self.embedding_std)?;
        LayersConfig { hidden: self.hidden.clone(), ..LayersConfig::default() }.check("deep_crossing")
    }

    fn slots(&self, schema: &Schema) -> Slots {
        Slots(vec![vector_lookup("deep", schema, self.embedding_dim, self.embedding_std, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> DeepCrossing {
        let width = shapes.stacked(0);
        DeepCrossing {
            residual: self.hidden.iter().map(|h| Residual::new(width, *h, initial, device)).collect(),
            score: Score::new(width, shapes, initial, device),
            embedding_relu: self.embedding_relu,
        }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for DeepCrossing {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, numeric `[B, N]`
    /// - trunk: the last unit `[B, F·k + N]`
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        let embedded = inputs.flat(0); // [B, F·k]
        let embedded = if self.embedding_relu { relu(embedded) } else { embedded };
        let stacked = match &inputs.numeric {
            Some(numeric) => Tensor::cat(vec![embedded, numeric.clone()], 1), // [B, F·k + N]
            None => embedded,
        };
        let crossed = self.residual.iter().fold(stacked, |s, unit| unit.forward(s)); // [B, F·k + N]
        Trunk(vec![crossed])
    }

    fn heads(&self, trunk: Trunk, _inputs: &Inputs) -> Outputs {
        self.score.forward(trunk)
    }
}
