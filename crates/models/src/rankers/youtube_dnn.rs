//! YouTubeDNN's candidate generation (Covington et al., RecSys 2016): a tower over the user, and a vector an item.
//!
//! ```text
//! mean of each history [B, k] ─┐
//! the user's fields [B, F·k] ──┼ concat ─ MLP ─▶ u [B, d] ─┐
//! numeric [B, N] ──────────────┘                           ⊙ ─ sum ─▶ logit [B, 1]
//! item [B, d] ─────────────────────────────────────────────┘
//! ```
//! The tower reads every field but the item. With `loss = "sampled_softmax"` the item is a class among those that are
//! drawn; with negatives as rows and another loss it is scored by itself. Items are looked for by the product alone. The
//! paper takes equally many rows of every user; here all rows count, so that users who did more weigh more.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnrec_embedding::{Init, Lookup, Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blocks::{Layers, LayersConfig, mean_pool};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`YoutubeDnn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct YoutubeDnnConfig {
    /// Width of each layer of the tower; the last is the width d of the vectors of users and items.
    pub hidden: Vec<usize>,
    /// Width k of the vectors of the tower's fields and histories.
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    pub embedding_std: f32,
    /// Probability that an activation of the tower is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for YoutubeDnnConfig {
    fn default() -> Self {
        Self { hidden: vec![256, 64], embedding_dim: 32, embedding_std: 0.05, dropout: 0.0, optimizer: None }
    }
}

/// A tower over the user.
#[derive(Module, Debug)]
pub struct YoutubeDnn {
    tower: Layers,
    /// Whether the user has fields of one vector.
    fields: bool,
    /// The group of positions of each history.
    groups: Vec<usize>,
}

impl YoutubeDnnConfig {
    fn layers(&self) -> LayersConfig {
        LayersConfig { hidden: self.hidden.clone(), dropout: self.dropout, batch_norm: false }
    }
}

impl Architecture for YoutubeDnnConfig {
    type Model = YoutubeDnn;

    const READS: Reads = Reads::ITEMS;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        let model = "youtube_dnn";
        let Some(items) = &schema.items else { return Ok(()) };
        let described = items.fields.get(1).map(|f| &schema.categorical[*f].name);
        let described = described.or_else(|| items.numeric.first().map(|n| &schema.numeric[*n].field));
        if let Some(name) = described {
            let problem = format!("knows an item by its id alone, so that field `{name}` would be ignored; remove it");
            return Err(ModelError::Field { model, problem });
        }
        let has_user = schema.columns_only().iter().any(|f| !items.fields.contains(f));
        if !has_user && schema.sequences().is_empty() && schema.numeric.is_empty() {
            let problem = "reads the user, and every field is of the item; add the history or the user's fields".into();
            return Err(ModelError::Field { model, problem });
        }
        let bad =
            |key: &str, problem: &str| Err(ModelError::Setting { model, key: key.into(), problem: problem.into() });
        match () {
            () if self.hidden.is_empty() => bad("hidden", "must name at least one width, that of the vectors"),
            () if self.hidden.last().is_some_and(|d| *d > 1024) => bad("hidden", "must end in a width of at most 1024"),
            () if !(1..=1024).contains(&self.embedding_dim) => bad("embedding_dim", "must lie in 1..=1024"),
            () if !(self.embedding_std > 0.0 && self.embedding_std.is_finite()) => {
                bad("embedding_std", "must be above 0: equal vectors never part")
            }
            () => self.layers().check(model),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let Some(items) = &schema.items else { return Slots::default() };
        let lookup = |name, features, sequences, dim| Lookup {
            name,
            features,
            sequences,
            squares: Vec::new(),
            dim,
            optimizer: self.optimizer.clone(),
            init: Init::Normal(self.embedding_std),
        };
        let user = schema.columns_only().into_iter().filter(|f| !items.fields.contains(f)).collect();
        Slots(vec![
            lookup("user", user, schema.sequences(), self.embedding_dim),
            lookup(
                "items",
                vec![items.id],
                items.drawn.into_iter().collect(),
                self.hidden.last().copied().unwrap_or(1),
            ),
        ])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> YoutubeDnn {
        let groups: Vec<usize> = shapes.sequences[0].iter().map(|s| s.group).collect();
        let width = shapes.stacked(0) + groups.len() * self.embedding_dim;
        YoutubeDnn { tower: self.layers().init(width, initial, device), fields: shapes.lookups[0].0 > 0, groups }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl YoutubeDnn {
    /// `[B, d]`
    fn user(&self, inputs: &Inputs) -> Tensor<2> {
        let mut parts = if self.fields { vec![inputs.flat(0)] } else { Vec::new() }; // [B, F·k]
        for (sequence, group) in inputs.sequences[0].iter().zip(&self.groups) {
            parts.push(mean_pool(sequence.clone(), &inputs.segments[*group])); // [B, k]
        }
        parts.extend(inputs.numeric.clone()); // [B, N]
        self.tower.forward(Tensor::cat(parts, 1), None)
    }
}

impl Model for YoutubeDnn {
    /// # Shapes
    /// - lookup 0: the user's vectors `[B, F, k]`, histories `[positions, k]`; lookup 1: items `[B, 1, d]`, drawn `[S, d]`
    /// - output: logits `[B, 1]`, those of what was drawn `[B, S]`
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        let (user, item) = (self.user(inputs), inputs.flat(1)); // [B, d]
        let sampled = inputs.sampled(&user, &item, inputs.sequences[1].first());
        Outputs { sampled, ..Outputs::one((user * item).sum_dim(1)) }
    }

    fn user_vectors(&self, inputs: &Inputs) -> Option<Tensor<2>> {
        Some(self.user(inputs))
    }

    fn item_vectors(&self, inputs: &Inputs, _cold: Tensor<2>) -> Option<Tensor<2>> {
        Some(inputs.flat(1))
    }
}
