//! Shared-Bottom: one network that all tasks share, a tower each (Caruana 1997).
//!
//! ```text
//! embedded [B, F·k] ┐                                          ┌─ tower ─▶ head of task 1
//! numeric  [B, N]   ┴─ concat ─ (linear, ReLU, dropout) × depth ┼─ …
//!                                                              └─ tower ─▶ head of task T
//! ```

use burn::module::Module;
use burn::tensor::Device;
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, vector_lookup};
use crate::blocks::{Layers, LayersConfig, Towers, check_widths};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`SharedBottom`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SharedBottomConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Width of each layer that the tasks share.
    pub bottom: Vec<usize>,
    /// Width of each layer of a task's own tower; its head stands right on the bottom where there is none.
    pub tower: Vec<usize>,
    /// Probability that an activation is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for SharedBottomConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            bottom: vec![256, 128],
            tower: vec![64],
            dropout: 0.0,
            optimizer: None,
        }
    }
}

impl SharedBottomConfig {
    fn layers(&self) -> LayersConfig {
        LayersConfig { hidden: self.bottom.clone(), dropout: self.dropout, batch_norm: false }
    }
}

/// Shared-Bottom.
#[derive(Module, Debug)]
pub struct SharedBottom {
    pub(super) bottom: Layers,
    pub(super) towers: Towers,
}

impl Architecture for SharedBottomConfig {
    type Model = SharedBottom;

    const READS: Reads = Reads::TOWER;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        let model = "shared_bottom";
        check_vectors(model, schema, self.embedding_dim, self.embedding_std)?;
        check_widths(model, "bottom", &self.bottom, 1)?;
        check_widths(model, "tower", &self.tower, 0)?;
        self.layers().check(model)
    }

    fn slots(&self, schema: &Schema) -> Slots {
        Slots(vec![vector_lookup("deep", schema, self.embedding_dim, self.embedding_std, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> SharedBottom {
        let (layers, width) = (self.layers(), shapes.stacked(0));
        SharedBottom {
            bottom: layers.init(width, initial, device),
            towers: Towers::new(layers.output(width), &self.tower, self.dropout, shapes, initial, device),
        }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for SharedBottom {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, numeric `[B, N]`
    /// - trunk: the last shared layer `[B, h]`
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        Trunk(vec![self.bottom.forward(inputs.flat(0), inputs.numeric.clone())])
    }

    fn heads(&self, mut trunk: Trunk, _inputs: &Inputs) -> Outputs {
        let shared = trunk.0.swap_remove(0);
        self.towers.forward(|_| shared.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tensor;

    #[test]
    fn the_gradient_at_the_cut_is_the_weighted_sum_of_the_tasks_own() {
        let device = Device::flex().autodiff();
        let config = SharedBottomConfig { bottom: vec![5], tower: vec![3], ..SharedBottomConfig::default() };
        let shapes = InputShapes { lookups: vec![(2, 3)], outputs: vec![vec![0.1], vec![-0.2]], ..Default::default() };
        let mut initial = Initial::new(3);
        let model = config.init(&shapes, &mut initial, &device);
        let vectors = initial.normal(1.0, [4, 2, 3], &device).val();
        let inputs = Inputs::slots(vec![vectors], None);
        // Burn walks a graph back once: each gradient has a pass of its own, from the same cut on.
        let at_cut = |weights: [f64; 2]| -> Vec<f32> {
            let cut = Tensor::from_inner(model.trunk(&inputs).0.swap_remove(0).inner()).require_grad();
            let heads = model.heads(Trunk(vec![cut.clone()]), &inputs).heads;
            let losses = heads.iter().zip(weights).map(|(head, weight)| head.scores().exp().mean() * weight);
            let gradients = losses.reduce(|a, b| a + b).unwrap().backward();
            cut.grad(&gradients).unwrap().into_data().try_to_vec().unwrap()
        };
        let (both, first, second) = (at_cut([0.7, 2.0]), at_cut([1.0, 0.0]), at_cut([0.0, 1.0]));
        assert!(first.iter().zip(&second).any(|(a, b)| (a - b).abs() > 1e-3), "the tasks pull alike");
        for ((both, first), second) in both.iter().zip(&first).zip(&second) {
            assert!((both - (0.7 * first + 2.0 * second)).abs() < 1e-6, "{both} {first} {second}");
        }
    }
}
