//! Wide & Deep (Cheng et al., DLRS 2016): a linear model with crosses and an MLP, trained as one.
//!
//! ```text
//! ids and crosses ─ one weight each ────────────────────────┐
//! embedded [B, F·k] ┐                                       + ─▶ logit [B, 1]
//! numeric  [B, N]   ┴─ concat ─ MLP ─ linear ───────────────┘
//! ```
//! One bias, one loss; the wide weights under FTRL with L1, the vectors under Adagrad or Adam.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Device;
use burnrec_backend::sum_fields;
use burnrec_embedding::{Slots, SparseOptimizer, SparseRule};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, linear_lookup, vector_lookup};
use crate::blocks::{Layers, LayersConfig, layer_onto};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`WideDeep`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WideDeepConfig {
    /// Width k of the deep half's vectors.
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
    /// Optimiser of the wide weights of ids and crosses.
    pub wide_optimizer: SparseOptimizer,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deep_optimizer: Option<SparseOptimizer>,
}

impl Default for WideDeepConfig {
    fn default() -> Self {
        let LayersConfig { hidden, dropout, batch_norm } = LayersConfig::default();
        let wide_optimizer = SparseOptimizer { l1: 1.0, ..SparseOptimizer::new(SparseRule::Ftrl, 0.02) };
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            hidden,
            dropout,
            batch_norm,
            wide_optimizer,
            deep_optimizer: None,
        }
    }
}

impl WideDeepConfig {
    fn layers(&self) -> LayersConfig {
        LayersConfig { hidden: self.hidden.clone(), dropout: self.dropout, batch_norm: self.batch_norm }
    }
}

/// Wide & Deep.
#[derive(Module, Debug)]
pub struct WideDeep {
    layers: Layers,
    score: Linear,
}

impl Architecture for WideDeepConfig {
    type Model = WideDeep;

    const READS: Reads = Reads::LINEAR;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_vectors("wide_deep", schema, self.embedding_dim, self.embedding_std)?;
        self.layers().check("wide_deep")
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let deep = vector_lookup("deep", schema, self.embedding_dim, self.embedding_std, self.deep_optimizer.clone());
        Slots(vec![linear_lookup("wide", schema, Some(self.wide_optimizer.clone())), deep])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> WideDeep {
        let (layers, width) = (self.layers(), shapes.stacked(1));
        WideDeep {
            layers: layers.init(width, initial, device),
            score: initial.linear_logit(layers.output(width), &[shapes.bias()], device),
        }
    }

    fn normalises(&self) -> bool {
        self.batch_norm
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        let deep = self.deep_optimizer.iter().map(|o| ("deep_optimizer", o));
        std::iter::once(("wide_optimizer", &self.wide_optimizer)).chain(deep).collect()
    }
}

impl Model for WideDeep {
    /// # Shapes
    /// - lookup 0: weights `[B, F + crosses, 1]`; lookup 1: vectors `[B, F, k]`; numeric `[B, N]`
    /// - output: logits `[B, 1]`
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        let wide = sum_fields(inputs.lookups[0].clone()); // [B, 1]
        let hidden = self.layers.forward(inputs.flat(1), inputs.numeric.clone()); // [B, h]
        Outputs::one(layer_onto(&self.score, hidden, wide)) // [B, 1]
    }
}
