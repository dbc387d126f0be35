//! MMoE: experts that all tasks share, and a gate a task that mixes them (Ma et al., KDD 2018).
//!
//! ```text
//! embedded [B, F·k] ┐          ┌─ experts [B, E, h] ─┐
//! numeric  [B, N]   ┴─ concat ─┤                     ├─ Σ g_e·f_e [B, h] ─ tower ─▶ head, for each task
//!                              └─ softmax gate [B, E] ┘
//! ```

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnrec_backend::mixtures;
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, vector_lookup};
use crate::blocks::{ExpertGate, Experts, Towers, check_widths};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`Mmoe`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MmoeConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Experts, 1..=256.
    pub experts: usize,
    /// Width of each layer of an expert.
    pub expert: Vec<usize>,
    /// Width of each layer of a task's own tower; without layers, the head reads the mixture directly.
    pub tower: Vec<usize>,
    /// Probability that an expert is left out of a mixture in training, 0..1; the others then share its part.
    pub gate_dropout: f64,
    /// Probability that a tower's activation is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for MmoeConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            experts: 8,
            expert: vec![256, 128],
            tower: vec![64],
            gate_dropout: 0.0,
            dropout: 0.0,
            optimizer: None,
        }
    }
}

/// MMoE.
#[derive(Module, Debug)]
pub struct Mmoe {
    pub(super) experts: Experts,
    /// One a task.
    pub(super) gates: Vec<ExpertGate>,
    pub(super) towers: Towers,
}

impl MmoeConfig {
    /// Refuses settings that cannot work, on behalf of a model of such a name.
    pub(super) fn check_as(&self, model: &'static str, schema: &Schema) -> Result<(), ModelError> {
        let bad =
            |key: &str, problem: &str| Err(ModelError::Setting { model, key: key.into(), problem: problem.into() });
        check_vectors(model, schema, self.embedding_dim, self.embedding_std)?;
        check_widths(model, "expert", &self.expert, 1)?;
        check_widths(model, "tower", &self.tower, 0)?;
        match () {
            () if !(1..=256).contains(&self.experts) => bad("experts", "must lie in 1..=256"),
            () if !(0.0..1.0).contains(&self.dropout) => bad("dropout", "must lie in 0..1, 1 excluded"),
            () if !(0.0..1.0).contains(&self.gate_dropout) => bad("gate_dropout", "must lie in 0..1, 1 excluded"),
            () if self.experts == 1 && self.gate_dropout > 0.0 => {
                bad("gate_dropout", "has no meaning with one expert; remove it")
            }
            () if self.tower.is_empty() && self.dropout > 0.0 => {
                bad("dropout", "has no meaning without layers in the towers; remove it")
            }
            () => Ok(()),
        }
    }
}

impl Architecture for MmoeConfig {
    type Model = Mmoe;

    const READS: Reads = Reads::TOWER;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        self.check_as("mmoe", schema)
    }

    fn slots(&self, schema: &Schema) -> Slots {
        Slots(vec![vector_lookup("deep", schema, self.embedding_dim, self.embedding_std, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Mmoe {
        let (width, tasks) = (shapes.stacked(0), shapes.outputs.len());
        let experts = Experts::new(self.experts, width, &self.expert, initial, device);
        let gates =
            (0..tasks).map(|_| ExpertGate::new(width, self.experts, self.gate_dropout, initial, device)).collect();
        let mixed = self.expert.last().copied().unwrap_or(1);
        let towers = Towers::new(mixed, &self.tower, self.dropout, shapes, initial, device);
        Mmoe { experts, gates, towers }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for Mmoe {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, numeric `[B, N]`
    /// - trunk: the experts `[B, E·h]`, and the vectors `[B, F·k]` that gates read
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        let flat = inputs.flat(0);
        Trunk(vec![self.experts.forward(flat.clone(), inputs.numeric.clone()), flat])
    }

    fn heads(&self, mut trunk: Trunk, inputs: &Inputs) -> Outputs {
        let (flat, experts) = (trunk.0.swap_remove(1), trunk.0.swap_remove(0));
        let shares: Vec<Tensor<2>> =
            self.gates.iter().map(|gate| gate.forward(flat.clone(), inputs.numeric.clone())).collect();
        let mixed = mixtures(shares.clone(), experts); // [B, h], one a task
        let outputs = self.towers.forward(|task| mixed[task].clone());
        Outputs {
            gates: shares.into_iter().enumerate().map(|(t, s)| (format!("gate {}", t + 1), s)).collect(),
            ..outputs
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rankers::SharedBottomConfig;

    #[test]
    fn one_expert_is_shared_bottom_exactly() {
        let device = Device::flex();
        let shapes = InputShapes { lookups: vec![(2, 3)], outputs: vec![vec![0.1], vec![-0.2]], ..Default::default() };
        let mixed = MmoeConfig { experts: 1, expert: vec![5], tower: vec![3], ..MmoeConfig::default() };
        let mixed = mixed.init(&shapes, &mut Initial::new(3), &device);
        let shared = SharedBottomConfig { bottom: vec![5], tower: vec![3], ..SharedBottomConfig::default() };
        // The only expert and the bottom are drawn first, from the same stream.
        let mut shared = shared.init(&shapes, &mut Initial::new(3), &device);
        shared.towers = mixed.towers.clone();
        let inputs = Inputs::slots(vec![Initial::new(9).normal(1.0, [4, 2, 3], &device).val()], None);
        let read = |o: Outputs| o.scores().into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(read(mixed.forward(&inputs)), read(shared.forward(&inputs)));
    }
}
