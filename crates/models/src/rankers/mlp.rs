//! Embedding + MLP: the base model of the DIN paper and of most CTR work.
//!
//! ```text
//! embedded [B, F·k] ┐
//! numeric  [B, N]   ┴─ concat ─ (linear, norm, ReLU, dropout) × depth ─ linear ─▶ a head a task
//! ```

use burn::module::Module;
use burn::tensor::Device;
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, vector_lookup};
use crate::blocks::{Layers, LayersConfig, Score};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`Mlp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MlpConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Width of each hidden layer.
    pub hidden: Vec<usize>,
    /// Probability that an activation is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Whether activations are normalised over the batch.
    pub batch_norm: bool,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for MlpConfig {
    fn default() -> Self {
        let LayersConfig { hidden, dropout, batch_norm } = LayersConfig::default();
        Self { embedding_dim: 16, embedding_std: 0.01, hidden, dropout, batch_norm, optimizer: None }
    }
}

impl MlpConfig {
    fn layers(&self) -> LayersConfig {
        LayersConfig { hidden: self.hidden.clone(), dropout: self.dropout, batch_norm: self.batch_norm }
    }
}

/// Embedding + MLP.
#[derive(Module, Debug)]
pub struct Mlp {
    layers: Layers,
    score: Score,
}

impl Architecture for MlpConfig {
    type Model = Mlp;

    const READS: Reads = Reads::TOWER;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_vectors("mlp", schema, self.embedding_dim, self.embedding_std)?;
        self.layers().check("mlp")
    }

    fn slots(&self, schema: &Schema) -> Slots {
        Slots(vec![vector_lookup("deep", schema, self.embedding_dim, self.embedding_std, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Mlp {
        let (layers, width) = (self.layers(), shapes.stacked(0));
        Mlp {
            layers: layers.init(width, initial, device),
            score: Score::new(layers.output(width), shapes, initial, device),
        }
    }

    fn normalises(&self) -> bool {
        self.batch_norm
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for Mlp {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, numeric `[B, N]`
    /// - trunk: the last hidden layer `[B, h]`
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        Trunk(vec![self.layers.forward(inputs.flat(0), inputs.numeric.clone())])
    }

    fn heads(&self, trunk: Trunk, _inputs: &Inputs) -> Outputs {
        self.score.forward(trunk)
    }
}
