//! OMoE: experts that all tasks share, and one gate that mixes them for all (Ma et al., KDD 2018, after Jacobs et al. 1991).
//!
//! ```text
//! embedded [B, F·k] ┐          ┌─ experts [B, E, h] ─┐
//! numeric  [B, N]   ┴─ concat ─┤                     ├─ Σ g_e·f_e [B, h] ─┬─ tower ─▶ head of task 1
//!                              └─ softmax gate [B, E] ┘                    └─ tower ─▶ …
//! ```

use burn::module::Module;
use burn::tensor::Device;
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MmoeConfig;
use crate::blocks::{ExpertGate, Experts, Towers};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`Omoe`]: those of MMoE.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct OmoeConfig(pub MmoeConfig);

/// OMoE.
#[derive(Module, Debug)]
pub struct Omoe {
    experts: Experts,
    pub(super) gate: ExpertGate,
    towers: Towers,
}

impl Architecture for OmoeConfig {
    type Model = Omoe;

    const READS: Reads = Reads::TOWER;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        self.0.check_as("omoe", schema)
    }

    fn slots(&self, schema: &Schema) -> Slots {
        self.0.slots(schema)
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Omoe {
        let (own, width) = (&self.0, shapes.stacked(0));
        let mixed = own.expert.last().copied().unwrap_or(1);
        Omoe {
            experts: Experts::new(own.experts, width, &own.expert, initial, device),
            gate: ExpertGate::new(width, own.experts, own.gate_dropout, initial, device),
            towers: Towers::new(mixed, &own.tower, own.dropout, shapes, initial, device),
        }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.0.optimizers()
    }
}

impl Model for Omoe {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, numeric `[B, N]`
    /// - trunk: the mixture `[B, h]`, and the gate's shares `[B, E]`
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        let flat = inputs.flat(0);
        let experts = self.experts.forward(flat.clone(), inputs.numeric.clone());
        let shares = self.gate.forward(flat, inputs.numeric.clone());
        Trunk(vec![ExpertGate::mix(shares.clone(), experts), shares])
    }

    fn heads(&self, mut trunk: Trunk, _inputs: &Inputs) -> Outputs {
        let (shares, mixed) = (trunk.0.swap_remove(1), trunk.0.swap_remove(0));
        Outputs { gates: vec![("gate".into(), shares)], ..self.towers.forward(|_| mixed.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_without_weights_make_it_mmoe() {
        let device = Device::flex();
        let shapes = InputShapes { lookups: vec![(2, 3)], outputs: vec![vec![0.1], vec![-0.2]], ..Default::default() };
        let config = MmoeConfig { experts: 3, expert: vec![5], tower: vec![3], ..MmoeConfig::default() };
        let mut initial = Initial::new(3);
        let mut many = config.init(&shapes, &mut initial, &device);
        let mut one = OmoeConfig(config).init(&shapes, &mut initial, &device);
        (one.experts, one.towers) = (many.experts.clone(), many.towers.clone());
        let inputs = Inputs::slots(vec![Initial::new(9).normal(1.0, [4, 2, 3], &device).val()], None);
        let read = |o: Outputs| o.scores().into_data().try_to_vec::<f32>().unwrap();
        assert_ne!(read(many.forward(&inputs)), read(one.forward(&inputs)));
        one.gate.set_equal(&mut initial, &device);
        many.gates.iter_mut().for_each(|gate| gate.set_equal(&mut initial, &device));
        assert_eq!(read(many.forward(&inputs)), read(one.forward(&inputs)));
    }
}
