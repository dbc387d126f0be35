//! xDeepFM (Lian et al., KDD 2018): a compressed interaction network, an MLP and a linear model, trained as one.
//!
//! ```text
//! ids and numbers ─ one weight each ─────────────────────────┐
//! embedded [B, m, D] ─┬─ CIN: explicit, bounded degree ──────┼ + ─▶ logit [B, 1]
//! numeric  [B, N] ────┴─ concat ─ MLP ─ linear ──────────────┘
//! ```
//! Maps are summed over the vectors' width, not over maps; no activation and no batch norm inside the network, as in
//! the paper; `split_half` and `cin_relu` are the dialects of later toolkits.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Device;
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, linear_lookup, vector_lookup};
use crate::blocks::{Cin, Layers, LayersConfig, LinearTerms, layer_onto};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk, matrix_weights};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`XDeepFm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct XDeepFmConfig {
    /// Width D of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Maps of each layer of the interaction network.
    pub cin: Vec<usize>,
    /// Whether half of a layer's maps go out and only the other half on to the next layer; the paper passes all on.
    pub split_half: bool,
    /// Whether a ReLU follows each layer of the interaction network; the paper found none best.
    pub cin_relu: bool,
    /// Width of each hidden layer of the MLP.
    pub hidden: Vec<usize>,
    /// Probability that an activation of the MLP is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Whether activations of the MLP are normalised over the batch.
    pub batch_norm: bool,
    /// Optimiser of the first-order weights of ids; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linear_optimizer: Option<SparseOptimizer>,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for XDeepFmConfig {
    fn default() -> Self {
        let LayersConfig { hidden, dropout, batch_norm } = LayersConfig::default();
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            cin: vec![100, 100],
            split_half: false,
            cin_relu: false,
            hidden,
            dropout,
            batch_norm,
            linear_optimizer: None,
            optimizer: None,
        }
    }
}

impl XDeepFmConfig {
    fn layers(&self) -> LayersConfig {
        LayersConfig { hidden: self.hidden.clone(), dropout: self.dropout, batch_norm: self.batch_norm }
    }
}

/// xDeepFM.
#[derive(Module, Debug)]
pub struct XDeepFm {
    terms: LinearTerms,
    cin: Cin,
    layers: Layers,
    score: Linear,
    /// D.
    dim: usize,
}

impl Architecture for XDeepFmConfig {
    type Model = XDeepFm;

    const READS: Reads = Reads::LINEAR;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_vectors("xdeepfm", schema, self.embedding_dim, self.embedding_std)?;
        let bad =
            |problem: &str| Err(ModelError::Setting { model: "xdeepfm", key: "cin".into(), problem: problem.into() });
        match self.cin.as_slice() {
            [] => bad("is empty; name the maps of at least one layer, or use model.deepfm"),
            maps if maps.iter().any(|m| !(1..=4096).contains(m)) => bad("every layer must have 1..=4096 maps"),
            maps if self.split_half && maps[..maps.len() - 1].contains(&1) => {
                bad("a layer of one map cannot be split; give it more maps or leave split_half away")
            }
            _ => self.layers().check("xdeepfm"),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let vectors = vector_lookup("vectors", schema, self.embedding_dim, self.embedding_std, self.optimizer.clone());
        Slots(vec![linear_lookup("linear", schema, self.linear_optimizer.clone()), vectors])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> XDeepFm {
        let (layers, width) = (self.layers(), shapes.stacked(1));
        XDeepFm {
            terms: LinearTerms::new(shapes, initial, device),
            cin: Cin::new(shapes.lookups[1].0, &self.cin, self.split_half, self.cin_relu, initial, device),
            layers: layers.init(width, initial, device),
            // The first-order terms have the bias.
            score: Linear { bias: None, ..initial.linear_logit(layers.output(width), &[0.0], device) },
            dim: self.embedding_dim,
        }
    }

    fn normalises(&self) -> bool {
        self.batch_norm
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        let linear = self.linear_optimizer.iter().map(|o| ("linear_optimizer", o));
        linear.chain(self.optimizer.iter().map(|o| ("optimizer", o))).collect()
    }
}

impl Model for XDeepFm {
    /// The interaction network works once a coordinate of the vectors.
    fn products(&self, _positions: f64) -> f64 {
        matrix_weights(self) - matrix_weights(&self.cin) + self.cin.products(self.dim)
    }

    /// # Shapes
    /// - lookup 0: weights `[B, F + crosses, 1]`; lookup 1: vectors `[B, m, D]`; numeric `[B, N]`
    /// - output: logits `[B, 1]`
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        let explicit = self.terms.forward(inputs, 0) + self.cin.forward(inputs.lookups[1].clone()); // [B, 1]
        let hidden = self.layers.forward(inputs.flat(1), inputs.numeric.clone()); // [B, h]
        Outputs::one(layer_onto(&self.score, hidden, explicit)) // [B, 1]
    }
}
