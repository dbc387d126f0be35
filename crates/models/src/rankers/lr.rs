//! Logistic regression: one weight an id and a number.
//!
//! ```text
//! z = b + Σ_f w[id_f] + Σ_n u_n x_n
//! ```
//! Fields may be crosses. With [`burnrec_embedding::SparseRule::Ftrl`] it is the model of McMahan et al.,
//! KDD 2013. The bias is never regularised.

use burn::module::Module;
use burn::tensor::Device;
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::linear_lookup;
use crate::blocks::LinearTerms;
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`Lr`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LrConfig {
    /// Optimiser of the ids' weights; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

/// Logistic regression.
#[derive(Module, Debug)]
pub struct Lr {
    terms: LinearTerms,
}

impl Architecture for LrConfig {
    type Model = Lr;

    const READS: Reads = Reads::LINEAR;

    fn check(&self, _schema: &Schema) -> Result<(), ModelError> {
        Ok(())
    }

    fn slots(&self, schema: &Schema) -> Slots {
        Slots(vec![linear_lookup("linear", schema, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Lr {
        Lr { terms: LinearTerms::new(shapes, initial, device) }
    }

    fn learns_as_it_predicts(&self) -> bool {
        true
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for Lr {
    /// # Shapes
    /// - lookup 0: weights `[B, F, 1]`, numeric `[B, N]`
    /// - output: logits `[B, 1]`
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        Outputs::one(self.terms.forward(inputs, 0))
    }
}
