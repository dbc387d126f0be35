//! DIN, the deep interest network (Zhou et al., KDD 2018): what a user did, weighed by what is asked.
//!
//! ```text
//! history [positions, d] ─┬─ activation unit ─ weights ─┐
//! candidate [B, d] ───────┘                             ⊗ ─ sum ─┐
//! all fields embedded [B, F·k] ──────────────────────────────────┼ concat ─ MLP ─ linear ─▶ logit [B, 1]
//! numeric [B, N] ────────────────────────────────────────────────┘
//! ```
//! A sequence and its candidate share a table (`table = "item_id"`). Sequences that go along with each other (items and
//! their categories) are one history of wider vectors; there may be several histories, each with a unit of its own. The
//! paper's mini-batch-aware L2 is `mba_l2` of the sparse optimiser.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, history_lookup};
use crate::blocks::{
    ActivationKind, AttentionUnit, LayersConfig, Normalise, Score, Tower, pool_scored, position_encoding,
};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Sequences, Trunk, matrix_weights};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`Din`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DinConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Width of each hidden layer of the activation unit; the paper has one of 36, its released code 80 and 40.
    pub attention: Vec<usize>,
    /// Activation inside the unit; the released code has sigmoid.
    pub attention_activation: ActivationKind,
    /// What makes weights of the unit's scores; the paper has none, its released code a softmax.
    pub normalise: Normalise,
    /// Whether the unit knows how long ago each behaviour was: its position's encoding is added to it. The paper's does not.
    pub positions: bool,
    /// Width of each hidden layer of the MLP.
    pub hidden: Vec<usize>,
    /// Activation of the MLP.
    pub activation: ActivationKind,
    /// Probability that an activation of the MLP is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for DinConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            attention: vec![36],
            attention_activation: ActivationKind::default(),
            normalise: Normalise::default(),
            positions: false,
            hidden: vec![200, 80],
            activation: ActivationKind::default(),
            dropout: 0.0,
            optimizer: None,
        }
    }
}

/// Which sequences make up one history, and the slots of their candidates.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) group: usize,
    pub(crate) sequences: Vec<usize>,
    pub(crate) candidates: Vec<usize>,
}

impl History {
    /// The histories of a lookup.
    pub(crate) fn of(shapes: &InputShapes, lookup: usize) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for (number, shape) in shapes.sequences[lookup].iter().enumerate() {
            let Some(candidate) = shape.candidate else { continue };
            let at = all.iter().position(|h| h.group == shape.group).unwrap_or_else(|| {
                all.push(Self { group: shape.group, ..Self::default() });
                all.len() - 1
            });
            all[at].sequences.push(number);
            all[at].candidates.push(candidate);
        }
        all
    }

    /// The behaviours `[positions, d]`.
    pub(crate) fn keys(&self, inputs: &Inputs, lookup: usize) -> Tensor<2> {
        side_by_side(self.sequences.iter().map(|s| inputs.sequences[lookup][*s].clone()).collect())
    }

    /// The candidates `[B, d]`.
    pub(crate) fn query(&self, inputs: &Inputs, lookup: usize) -> Tensor<2> {
        side_by_side(self.candidates.iter().map(|slot| inputs.slot(lookup, *slot)).collect())
    }
}

fn side_by_side(mut parts: Vec<Tensor<2>>) -> Tensor<2> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 1) }
}

/// A deep interest network.
#[derive(Module, Debug)]
pub struct Din {
    units: Vec<AttentionUnit>,
    tower: Tower,
    score: Score,
    #[module(skip)]
    histories: Vec<History>,
    #[module(skip)]
    normalise: Normalise,
    positions: bool,
}

impl Architecture for DinConfig {
    type Model = Din;

    const READS: Reads = Reads { sequences: Sequences::Asked, ..Reads::TOWER };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_vectors("din", schema, self.embedding_dim, self.embedding_std)?;
        let widths = |hidden: &[usize]| LayersConfig { hidden: hidden.to_vec(), ..LayersConfig::default() };
        if self.attention.is_empty() || widths(&self.attention).check("din").is_err() {
            let problem = "must name at least one width in 1..=65536".into();
            return Err(ModelError::Setting { model: "din", key: "attention".into(), problem });
        }
        LayersConfig { dropout: self.dropout, ..widths(&self.hidden) }.check("din")
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let (dim, deviation) = (self.embedding_dim, self.embedding_std);
        Slots(vec![history_lookup("vectors", schema, dim, deviation, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Din {
        let histories = History::of(shapes, 0);
        let dim = |h: &History| h.sequences.len() * self.embedding_dim;
        let unit = |h: &History, initial: &mut Initial| {
            AttentionUnit::new(dim(h), &self.attention, self.attention_activation, initial, device)
        };
        let units = histories.iter().map(|h| unit(h, initial)).collect();
        let width = shapes.stacked(0) + histories.iter().map(dim).sum::<usize>();
        let last = self.hidden.last().copied().unwrap_or(width);
        Din {
            units,
            tower: Tower::new(width, &self.hidden, self.activation, self.dropout, initial, device),
            score: Score::new(last, shapes, initial, device),
            histories,
            normalise: self.normalise,
            positions: self.positions,
        }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Din {
    /// The behaviours of a history `[positions, d]`, with how long ago each was where units know that.
    fn keys(&self, history: &History, inputs: &Inputs) -> Tensor<2> {
        let keys = history.keys(inputs, 0);
        if !self.positions {
            return keys;
        }
        let (dim, device) = (keys.dims()[1], keys.device());
        keys + position_encoding(&inputs.segments[history.group], dim, &device)
    }
}

impl Model for Din {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, sequences `[positions, k]`; numeric `[B, N]`
    /// - trunk: the last hidden layer `[B, h]`
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        let mut parts = vec![inputs.flat(0)]; // [B, F·k]
        for (unit, history) in self.units.iter().zip(&self.histories) {
            let (keys, query) = (self.keys(history, inputs), history.query(inputs, 0));
            let segments = &inputs.segments[history.group];
            let scored = inputs.scored.iter().find(|(group, _)| *group == history.group);
            parts.push(match (scored, inputs.one_history) {
                (Some((_, scores)), _) => pool_scored(keys, scores.clone(), self.normalise),
                (None, true) => unit.pool_one(keys, query, self.normalise),
                (None, false) => unit.pool(keys, query, segments, self.normalise),
            }); // [B, d]
        }
        parts.extend(inputs.numeric.clone()); // [B, N]
        Trunk(vec![self.tower.forward(Tensor::cat(parts, 1))])
    }

    fn heads(&self, trunk: Trunk, _inputs: &Inputs) -> Outputs {
        self.score.forward(trunk)
    }

    fn takes_one_history(&self) -> bool {
        true
    }

    fn attention(&self, inputs: &Inputs) -> Vec<(usize, Tensor<2>)> {
        let of = |(unit, history): (&AttentionUnit, &History)| {
            let (keys, query) = (self.keys(history, inputs), history.query(inputs, 0));
            (history.group, unit.weights(keys, query, &inputs.segments[history.group], self.normalise))
        };
        self.units.iter().zip(&self.histories).map(of).collect()
    }

    fn behaviour_scores(&self, inputs: &Inputs) -> Vec<(usize, Tensor<2>)> {
        let of = |(unit, history): (&AttentionUnit, &History)| {
            (history.group, unit.score_one(history.keys(inputs, 0), history.query(inputs, 0)))
        };
        match self.positions {
            true => Vec::new(),
            false => self.units.iter().zip(&self.histories).map(of).collect(),
        }
    }

    /// The units work once a position, but for their part of the candidate.
    fn products(&self, positions: f64) -> f64 {
        let units: f64 = self.units.iter().map(|unit| unit.products(positions)).sum();
        units + matrix_weights(&self.tower) + matrix_weights(&self.score)
    }
}
