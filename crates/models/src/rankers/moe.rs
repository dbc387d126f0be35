//! MoE: many experts of which each row takes few, under one gate for all tasks (Shazeer et al., ICLR 2017).
//!
//! ```text
//! embedded [B, F·k] ┐          ┌─ experts [B, E, h] ──────────┐
//! numeric  [B, N]   ┴─ concat ─┤                              ├─ Σ g_e·f_e [B, h] ─ tower ─▶ head, for each task
//!                              └─ noisy top-k gate, k above 0 ┘
//! ```
//! Two losses of its own keep experts in use: how much of them is taken (importance), and by how many rows (load). All experts
//! are computed, as one product: the gate is sparse in what learns, not in time.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, vector_lookup};
use crate::blocks::{ExpertGate, Experts, SparseGate, Taken, Towers, check_probability, check_widths};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::{ModelError, setting};
use crate::initial::Initial;

/// Settings of [`Moe`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MoeConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Experts, 1..=64.
    pub experts: usize,
    /// Experts that a row takes, at most all.
    pub active: usize,
    /// Width of each layer of an expert.
    pub expert: Vec<usize>,
    /// Width of each layer of a task's own tower; its head stands right on the mixture where there is none.
    pub tower: Vec<usize>,
    /// Whether chance takes part in which experts a row takes, in training.
    pub noise: bool,
    /// Weight of the loss against experts that much is taken of.
    pub importance: f64,
    /// Weight of the loss against experts that many rows take; without noise, or where a row takes all experts, there is none.
    pub load: f64,
    /// Probability that a tower's activation is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for MoeConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            experts: 8,
            active: 2,
            expert: vec![256, 128],
            tower: vec![64],
            noise: true,
            importance: 0.1,
            load: 0.1,
            dropout: 0.0,
            optimizer: None,
        }
    }
}

/// A sparsely gated mixture of experts.
#[derive(Module, Debug)]
pub struct Moe {
    experts: Experts,
    gate: SparseGate,
    towers: Towers,
    importance: f64,
    load: f64,
}

impl Architecture for MoeConfig {
    type Model = Moe;

    const READS: Reads = Reads { cut: false, ..Reads::TOWER };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_vectors("moe", schema, self.embedding_dim, self.embedding_std)?;
        check_widths("moe", "expert", &self.expert, 1)?;
        check_widths("moe", "tower", &self.tower, 0)?;
        check_probability("moe", "dropout", self.dropout)?;
        let weight = |x: f64| x >= 0.0 && x.is_finite();
        match () {
            () if !(1..=64).contains(&self.experts) => setting("moe", "experts", "must lie in 1..=64"),
            () if !(1..=self.experts).contains(&self.active) => {
                setting("moe", "active", "must be at least 1, and at most the number of experts")
            }
            () if self.active == 1 && self.experts > 1 && !(self.noise && self.load > 0.0) => setting(
                "moe",
                "active",
                "is 1, so that the only share is always 1 and no gradient tells the gate which expert to take, but that of load, which needs noise; set both, or take 2",
            ),
            () if !weight(self.importance) => setting("moe", "importance", "must be at least 0"),
            () if !weight(self.load) => setting("moe", "load", "must be at least 0"),
            () if self.load != 0.1 && (!self.noise || self.active == self.experts) => {
                setting("moe", "load", "is of noise, and of rows that take fewer than all experts; remove it")
            }
            () if self.tower.is_empty() && self.dropout > 0.0 => {
                setting("moe", "dropout", "has no meaning without layers in the towers; remove it")
            }
            () => Ok(()),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        Slots(vec![vector_lookup("deep", schema, self.embedding_dim, self.embedding_std, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Moe {
        let width = shapes.stacked(0);
        let mixed = self.expert.last().copied().unwrap_or(1);
        Moe {
            experts: Experts::new(self.experts, width, &self.expert, initial, device),
            gate: SparseGate::new(width, self.experts, self.active, self.noise, initial, device),
            towers: Towers::new(mixed, &self.tower, self.dropout, shapes, initial, device),
            importance: self.importance,
            load: self.load,
        }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for Moe {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, numeric `[B, N]`
    /// - heads, and in training the losses of importance and load
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        let flat = inputs.flat(0);
        let experts = self.experts.forward(flat.clone(), inputs.numeric.clone());
        let Taken { shares, importance, load } = self.gate.forward(flat, inputs.numeric.clone());
        let mixed = ExpertGate::mix(shares.clone(), experts);
        let weigh = |loss: Option<Tensor<1>>, weight: f64| loss.filter(|_| weight > 0.0).map(|loss| loss * weight);
        let losses = weigh(importance, self.importance).into_iter().chain(weigh(load, self.load));
        Outputs {
            auxiliary: losses.collect(),
            gates: vec![("gate".into(), shares)],
            ..self.towers.forward(|_| mixed.clone())
        }
    }
}
