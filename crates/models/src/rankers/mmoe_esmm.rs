//! MMoE under a chain of events: ESMM's products of probabilities over mixtures of experts instead of shared vectors alone.
//!
//! ```text
//! experts ─ gate of task k ─ tower ─▶ z_k;   ln p(event k) = Σ_{j ≤ k} ln σ(z_j)
//! ```

use burn::module::Module;
use burn::tensor::Device;
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Mmoe, MmoeConfig};
use crate::contract::{Architecture, Head, Heads, InputShapes, Inputs, Model, Outputs, Reads, TaskKind, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`MmoeEsmm`]: those of MMoE.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct MmoeEsmmConfig(pub MmoeConfig);

/// MMoE under a chain of events.
#[derive(Module, Debug)]
pub struct MmoeEsmm {
    mixtures: Mmoe,
}

impl Architecture for MmoeEsmmConfig {
    type Model = MmoeEsmm;

    const READS: Reads = Reads { heads: Heads::Chain, kinds: &[TaskKind::Binary], ..Reads::TOWER };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        self.0.check_as("mmoe_esmm", schema)
    }

    fn slots(&self, schema: &Schema) -> Slots {
        self.0.slots(schema)
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> MmoeEsmm {
        let mut shapes = shapes.clone();
        shapes.outputs = Head::given(&shapes.outputs);
        MmoeEsmm { mixtures: self.0.init(&shapes, initial, device) }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.0.optimizers()
    }
}

impl Model for MmoeEsmm {
    /// # Shapes
    /// - as MMoE's
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        self.mixtures.trunk(inputs)
    }

    fn heads(&self, trunk: Trunk, inputs: &Inputs) -> Outputs {
        let outputs = self.mixtures.heads(trunk, inputs);
        let logits: Vec<_> = outputs.heads.iter().map(Head::scores).collect();
        Outputs { heads: Head::chains(&logits), ..outputs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rankers::SharedBottomConfig;

    #[test]
    fn one_expert_is_esmm_over_a_shared_bottom() {
        let device = Device::flex();
        let shapes = InputShapes { lookups: vec![(2, 3)], outputs: vec![vec![-1.0], vec![-3.0]], ..Default::default() };
        let config = MmoeConfig { experts: 1, expert: vec![5], tower: vec![3], ..MmoeConfig::default() };
        let chained = MmoeEsmmConfig(config).init(&shapes, &mut Initial::new(3), &device);
        let shared = SharedBottomConfig { bottom: vec![5], tower: vec![3], ..SharedBottomConfig::default() };
        let mut shared = shared.init(&shapes, &mut Initial::new(3), &device);
        shared.towers = chained.mixtures.towers.clone();
        let inputs = Inputs::slots(vec![Initial::new(9).normal(1.0, [4, 2, 3], &device).val()], None);
        let logits: Vec<_> = shared.forward(&inputs).heads.iter().map(Head::scores).collect();
        let read = |o: Outputs| o.scores().into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(read(chained.forward(&inputs)), read(Outputs::of(Head::chains(&logits))));
    }
}
