//! GBDT+LR (He et al., ADKDD 2014): logistic regression over the leaves that a row reaches.
//!
//! ```text
//! row ─ trees ─ leaf ids, one a tree [B, T] ─ weights ─ sum ─▶ logit [B, 1]
//! ```
//! The trees are the encoder's, see `[features.trees]`: they are grown before training, on other rows than these weights
//! learn from, and are saved with them as one. The weights are learned online, under FTRL with the paper's rate
//! `0.1 / (1 + √Σg²)`.

use burn::module::Module;
use burn::tensor::Device;
use burnrec_embedding::{Init, Lookup, Slots, SparseOptimizer, SparseRule};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::linear_lookup;
use crate::blocks::LinearTerms;
use crate::contract::{Architecture, Heads, InputShapes, Inputs, Model, Outputs, Reads, TaskKind, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`GbdtLr`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GbdtLrConfig {
    /// Whether the fields themselves have weights too; the paper's has the leaves alone.
    pub fields: bool,
    /// Optimiser of the weights.
    pub optimizer: SparseOptimizer,
}

impl Default for GbdtLrConfig {
    fn default() -> Self {
        let optimizer = SparseOptimizer { kind: SparseRule::Ftrl, learning_rate: 0.1, ..SparseOptimizer::default() };
        Self { fields: false, optimizer }
    }
}

/// Logistic regression over leaves.
#[derive(Module, Debug)]
pub struct GbdtLr {
    terms: LinearTerms,
}

impl Architecture for GbdtLrConfig {
    type Model = GbdtLr;

    const READS: Reads =
        Reads { trees: true, heads: Heads::One, cut: false, kinds: &[TaskKind::Binary], ..Reads::TOWER };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        // What it needs is said by [`Reads`].
        let _ = schema;
        Ok(())
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let optimizer = Some(self.optimizer.clone());
        if self.fields {
            return Slots(vec![linear_lookup("linear", schema, optimizer)]);
        }
        let features = schema.trees.iter().map(|t| t.1).collect();
        Slots(vec![Lookup {
            name: "linear",
            features,
            sequences: Vec::new(),
            squares: Vec::new(),
            dim: 1,
            optimizer,
            init: Init::Zeros,
        }])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> GbdtLr {
        let numeric = if self.fields { shapes.numeric } else { 0 };
        GbdtLr { terms: LinearTerms::new(&InputShapes { numeric, ..shapes.clone() }, initial, device) }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        vec![("optimizer", &self.optimizer)]
    }
}

impl Model for GbdtLr {
    /// # Shapes
    /// - lookup 0: weights, those of the leaves summed `[B, F, 1]`
    /// - output: logits `[B, 1]`
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        Outputs::one(self.terms.forward(inputs, 0))
    }
}
