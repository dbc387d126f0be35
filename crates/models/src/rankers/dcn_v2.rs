//! DCN V2 (Wang et al., WWW 2021): a cross network of bounded degree and an MLP, one behind the other or side by side.
//!
//! ```text
//! embedded [B, F·k] ┐                ┌ stacked:  cross ─ MLP ─ linear ──────────────▶ logit [B, 1]
//! numeric  [B, N]   ┴─ concat x₀ ────┤
//!                                    └ parallel: concat of cross and MLP ─ linear ──▶ logit [B, 1]
//! ```
//! A cross layer is full, of low rank (`rank`), or a mixture of low-rank experts (`rank` and `experts`: DCN-Mix).

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, vector_lookup};
use crate::blocks::{Cross, CrossShape, Gate, Inner, Layers, LayersConfig, Score};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// How the cross network and the MLP stand to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Structure {
    /// The MLP over the cross network's output.
    #[default]
    Stacked,
    /// Both over the input, their outputs side by side.
    Parallel,
}

/// Settings of [`DcnV2`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DcnV2Config {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// How the cross network and the MLP stand to each other.
    pub structure: Structure,
    /// Cross layers.
    pub cross_layers: usize,
    /// Rank of a cross layer's weight; full when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    /// Low-rank experts of a cross layer; more than one makes it a mixture, with `rank` the rank of each.
    pub experts: usize,
    /// What scales an expert.
    pub gate: Gate,
    /// The function inside an expert.
    pub inner: Inner,
    /// Width of each hidden layer of the MLP; empty for the cross network alone.
    pub hidden: Vec<usize>,
    /// Probability that an activation of the MLP is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Whether activations of the MLP are normalised over the batch.
    pub batch_norm: bool,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for DcnV2Config {
    fn default() -> Self {
        let LayersConfig { hidden, dropout, batch_norm } = LayersConfig::default();
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            structure: Structure::default(),
            cross_layers: 2,
            rank: None,
            experts: 1,
            gate: Gate::default(),
            inner: Inner::default(),
            hidden,
            dropout,
            batch_norm,
            optimizer: None,
        }
    }
}

impl DcnV2Config {
    fn layers(&self) -> LayersConfig {
        LayersConfig { hidden: self.hidden.clone(), dropout: self.dropout, batch_norm: self.batch_norm }
    }

    fn shape(&self) -> CrossShape {
        match (self.rank, self.experts) {
            (None, _) => CrossShape::Full,
            (Some(rank), 0 | 1) => CrossShape::LowRank(rank),
            (Some(rank), experts) => CrossShape::Mixture { rank, experts, gate: self.gate, inner: self.inner },
        }
    }
}

/// DCN V2.
#[derive(Module, Debug)]
pub struct DcnV2 {
    cross: Vec<Cross>,
    layers: Layers,
    score: Score,
    parallel: bool,
}

impl Architecture for DcnV2Config {
    type Model = DcnV2;

    const READS: Reads = Reads::TOWER;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_vectors("dcn_v2", schema, self.embedding_dim, self.embedding_std)?;
        let bad = |key: &str, problem: &str| {
            Err(ModelError::Setting { model: "dcn_v2", key: key.into(), problem: problem.into() })
        };
        let (gate, inner) = (self.gate != Gate::default(), self.inner != Inner::default());
        match self.rank {
            _ if !(1..=16).contains(&self.cross_layers) => bad("cross_layers", "must lie in 1..=16"),
            _ if !(1..=64).contains(&self.experts) => bad("experts", "must lie in 1..=64"),
            Some(rank) if !(1..=65_536).contains(&rank) => bad("rank", "must lie in 1..=65536"),
            None if self.experts > 1 => bad("experts", "are of low rank: give rank as well"),
            _ if self.experts == 1 && gate => bad("gate", "scales experts of a mixture; set experts above 1"),
            _ if self.experts == 1 && inner => bad("inner", "stands inside experts of a mixture; set experts above 1"),
            _ if self.structure == Structure::Parallel && self.hidden.is_empty() => {
                bad("structure", "parallel needs an MLP beside the cross network; name hidden widths")
            }
            _ => self.layers().check("dcn_v2"),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let optimizer = self.optimizer.clone();
        Slots(vec![vector_lookup("vectors", schema, self.embedding_dim, self.embedding_std, optimizer)])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> DcnV2 {
        let (layers, width) = (self.layers(), shapes.stacked(0));
        let parallel = self.structure == Structure::Parallel;
        let out = layers.output(width) + if parallel { width } else { 0 };
        DcnV2 {
            cross: (0..self.cross_layers).map(|_| Cross::new(width, self.shape(), initial, device)).collect(),
            layers: layers.init(width, initial, device),
            score: Score::new(out, shapes, initial, device),
            parallel,
        }
    }

    fn normalises(&self) -> bool {
        self.batch_norm
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for DcnV2 {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`; numeric `[B, N]`
    /// - trunk: what the heads read, `[B, h]`, or the cross network `[B, d]` and the MLP `[B, h]` side by side
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        let first: Tensor<2> = inputs.stacked(0); // [B, d]
        let crossed = self.cross.iter().fold(first.clone(), |x, cross| cross.forward(first.clone(), x)); // [B, d]
        Trunk(match self.parallel {
            true => vec![crossed, self.layers.forward(first, None)],
            false => vec![self.layers.forward(crossed, None)],
        })
    }

    fn heads(&self, trunk: Trunk, _inputs: &Inputs) -> Outputs {
        self.score.forward(trunk)
    }
}
