//! ESMM: a chain of events, such as a click and a conversion behind it, learned over all impressions (Ma et al., SIGIR 2018).
//!
//! ```text
//! embedded [B, F·k] ┐          ┌─ tower ─▶ z_1: ln p(click)              = ln σ(z_1)
//! numeric  [B, N]   ┴─ concat ─┤
//!                              └─ tower ─▶ z_2: ln p(click, conversion) = ln σ(z_1) + ln σ(z_2)
//! ```

use burn::module::Module;
use burn::tensor::Device;
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, vector_lookup};
use crate::blocks::{Towers, check_widths};
use crate::contract::{Architecture, Head, Heads, InputShapes, Inputs, Model, Outputs, Reads, TaskKind, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`Esmm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EsmmConfig {
    /// Width k of the vectors, which the towers share.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Width of each layer of a tower.
    pub hidden: Vec<usize>,
    /// Probability that an activation is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for EsmmConfig {
    fn default() -> Self {
        Self { embedding_dim: 16, embedding_std: 0.01, hidden: vec![360, 200, 80], dropout: 0.0, optimizer: None }
    }
}

/// ESMM.
#[derive(Module, Debug)]
pub struct Esmm {
    towers: Towers,
}

impl EsmmConfig {
    /// Refuses settings that cannot work, on behalf of a model of such a name.
    pub(super) fn check_as(&self, model: &'static str, schema: &Schema) -> Result<(), ModelError> {
        check_vectors(model, schema, self.embedding_dim, self.embedding_std)?;
        check_widths(model, "hidden", &self.hidden, 1)?;
        match (0.0..1.0).contains(&self.dropout) {
            true => Ok(()),
            false => Err(ModelError::Setting {
                model,
                key: "dropout".into(),
                problem: "must lie in 0..1, 1 excluded".into(),
            }),
        }
    }
}

impl Architecture for EsmmConfig {
    type Model = Esmm;

    const READS: Reads = Reads { heads: Heads::Chain, kinds: &[TaskKind::Binary], ..Reads::TOWER };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        self.check_as("esmm", schema)
    }

    fn slots(&self, schema: &Schema) -> Slots {
        Slots(vec![vector_lookup("deep", schema, self.embedding_dim, self.embedding_std, self.optimizer.clone())])
    }

    /// The biases of the outputs are of whole chains; those of the towers start where each event's odds given the one before
    /// it are.
    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Esmm {
        let mut shapes = shapes.clone();
        shapes.outputs = Head::given(&shapes.outputs);
        let width = shapes.stacked(0);
        Esmm { towers: Towers::new(width, &self.hidden, self.dropout, &shapes, initial, device) }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for Esmm {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, numeric `[B, N]`
    /// - trunk: the vectors `[B, F·k]`, all that the towers share
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        Trunk(vec![inputs.flat(0)])
    }

    fn heads(&self, mut trunk: Trunk, inputs: &Inputs) -> Outputs {
        let shared = trunk.0.swap_remove(0);
        let logits = self.towers.logits(|_| (shared.clone(), inputs.numeric.clone()));
        Outputs::of(Head::chains(&logits))
    }
}
