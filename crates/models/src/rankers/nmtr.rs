//! NMTR: behaviours of growing worth, each score built on the one before (Gao et al., ICDE 2019).
//!
//! ```text
//! p_u, q_i of all behaviours ─ f^r ─▶ x^r = x^(r-1) + f^r(p_u, q_i) + b_r,   p(behaviour r) = σ(x^r)
//! ```
//! The tasks are the behaviours, in their order: a view, a cart, a buy. A task's `weight` is λ_r. That the score before enters
//! as log-odds is assumed; `cascade = "probability"` has it enter as a probability.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use burnrec_backend::Activation;
use burnrec_embedding::{Init, Lookup, Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::neumf::{check_user_and_item, place};
use crate::blocks::{Layers, LayersConfig, check_probability, check_widths, layer};
use crate::contract::{Architecture, Fields, Head, InputShapes, Inputs, Model, Outputs, Reads, TaskKind, Trunk, rate};
use crate::error::{ModelError, setting};
use crate::initial::Initial;

/// What a behaviour makes of user and item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interaction {
    /// A weighted product and a tower.
    #[default]
    Neumf,
    /// The weighted product alone.
    Gmf,
    /// The tower alone.
    Mlp,
}

/// How the score of the behaviour before enters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cascade {
    /// As log-odds.
    #[default]
    Logit,
    /// As a probability.
    Probability,
}

/// Settings of [`Nmtr`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NmtrConfig {
    /// The field of users, of one id a row.
    pub user: String,
    /// The field of items, of one id a row.
    pub item: String,
    /// What each behaviour makes of user and item.
    pub interaction: Interaction,
    /// How the score of the behaviour before enters.
    pub cascade: Cascade,
    /// Width k of the vectors.
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    pub embedding_std: f32,
    /// Width of each layer of a behaviour's tower.
    pub hidden: Vec<usize>,
    /// Probability that an activation is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for NmtrConfig {
    fn default() -> Self {
        Self {
            user: "user_id".into(),
            item: "item_id".into(),
            interaction: Interaction::default(),
            cascade: Cascade::default(),
            embedding_dim: 16,
            embedding_std: 0.01,
            hidden: vec![32, 16, 8],
            dropout: 0.0,
            optimizer: None,
        }
    }
}

/// What one behaviour makes of user and item.
#[derive(Module, Debug)]
struct Behaviour {
    tower: Option<Layers>,
    /// Over the product and the tower.
    score: Linear,
}

/// NMTR.
#[derive(Module, Debug)]
pub struct Nmtr {
    behaviours: Vec<Behaviour>,
    has_product: bool,
    #[module(skip)]
    cascade: Cascade,
}

impl Architecture for NmtrConfig {
    type Model = Nmtr;

    const READS: Reads = Reads { fields: Fields::UserAndItem, kinds: &[TaskKind::Binary], ..Reads::TOWER };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_user_and_item("nmtr", schema, &self.user, &self.item)?;
        check_widths("nmtr", "hidden", &self.hidden, 0)?;
        check_probability("nmtr", "dropout", self.dropout)?;
        match () {
            () if !(1..=1024).contains(&self.embedding_dim) => setting("nmtr", "embedding_dim", "must lie in 1..=1024"),
            () if !(self.embedding_std > 0.0 && self.embedding_std.is_finite()) => {
                setting("nmtr", "embedding_std", "must be above 0: equal vectors never part")
            }
            () if self.interaction == Interaction::Gmf && self.hidden != Self::default().hidden => {
                setting("nmtr", "hidden", "is of the towers, which interaction = \"gmf\" has not; remove it")
            }
            () if self.dropout > 0.0 && (self.interaction == Interaction::Gmf || self.hidden.is_empty()) => {
                setting("nmtr", "dropout", "is of the towers' layers, and there are none; remove it")
            }
            () => Ok(()),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let features = [&self.user, &self.item].into_iter().filter_map(|name| place(schema, name)).collect();
        Slots(vec![Lookup {
            name: "vectors",
            features,
            sequences: Vec::new(),
            squares: Vec::new(),
            dim: self.embedding_dim,
            optimizer: self.optimizer.clone(),
            init: Init::Normal(self.embedding_std),
        }])
    }

    /// Biases start where each behaviour is as frequent as it is, given the score before it.
    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Nmtr {
        let has_product = self.interaction != Interaction::Mlp;
        let own = LayersConfig { hidden: self.hidden.clone(), dropout: self.dropout, batch_norm: false };
        let width = 2 * self.embedding_dim;
        let start = |task: usize| {
            let bias = |task: usize| shapes.outputs[task].first().copied().unwrap_or(0.0);
            let before = task.checked_sub(1).map_or(0.0, |before| match self.cascade {
                Cascade::Logit => bias(before),
                Cascade::Probability => rate(&shapes.outputs[before]) as f32,
            });
            bias(task) - before
        };
        let behaviour = |task: usize| {
            let tower = (self.interaction != Interaction::Gmf).then(|| own.init(width, initial, device));
            let inputs = if tower.is_some() { own.output(width) } else { 0 };
            let inputs = inputs + if has_product { self.embedding_dim } else { 0 };
            Behaviour { tower, score: initial.linear_logit(inputs, &[start(task)], device) }
        };
        let behaviours = (0..shapes.outputs.len()).map(behaviour).collect();
        Nmtr { behaviours, has_product, cascade: self.cascade }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for Nmtr {
    /// # Shapes
    /// - lookup 0: the vectors of user and item `[B, 2, k]`, in either order
    /// - trunk: both side by side `[B, 2k]`
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        Trunk(vec![inputs.flat(0)])
    }

    fn heads(&self, mut trunk: Trunk, _inputs: &Inputs) -> Outputs {
        let both = trunk.0.swap_remove(0); // [B, 2k]
        let width = both.dims()[1] / 2;
        let product = self.has_product.then(|| both.clone().narrow(1, 0, width) * both.clone().narrow(1, width, width));
        let mut before: Option<Tensor<2>> = None;
        let head = |behaviour: &Behaviour| {
            let tower = behaviour.tower.as_ref().map(|tower| tower.forward(both.clone(), None));
            let (first, second) = match (product.clone(), tower) {
                (Some(product), tower) => (product, tower),
                (None, Some(tower)) => (tower, None),
                (None, None) => unreachable!("a behaviour makes something of user and item"),
            };
            let own = layer(&behaviour.score, first, second, Activation::Identity); // [B, 1]
            let score = match (before.take(), self.cascade) {
                (Some(before), Cascade::Logit) => own + before,
                (Some(before), Cascade::Probability) => own + sigmoid(before),
                (None, _) => own,
            };
            before = Some(score.clone());
            Head::Logit(score)
        };
        Outputs::of(self.behaviours.iter().map(head).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_behaviours_that_add_nothing_rank_as_the_first_does() {
        let device = Device::flex();
        let outputs = vec![vec![0.0], vec![-2.0], vec![-4.0]];
        let shapes = InputShapes { lookups: vec![(2, 3)], outputs, ..InputShapes::default() };
        for cascade in [Cascade::Logit, Cascade::Probability] {
            let config = NmtrConfig { embedding_dim: 3, cascade, ..NmtrConfig::default() };
            let mut initial = Initial::new(3);
            let mut model = config.init(&shapes, &mut initial, &device);
            for behaviour in &mut model.behaviours[1..] {
                behaviour.score.weight = initial.zeros(behaviour.score.weight.dims(), &device);
            }
            let inputs = Inputs::slots(vec![initial.normal(3.0, [20, 2, 3], &device).val()], None);
            let order = |head: &Head| {
                let scores = head.scores().into_data().try_to_vec::<f32>().unwrap();
                let mut order: Vec<usize> = (0..20).collect();
                order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
                order
            };
            let heads = model.forward(&inputs).heads;
            assert!(heads[1..].iter().all(|head| order(head) == order(&heads[0])));
        }
    }
}
