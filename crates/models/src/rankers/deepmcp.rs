//! DeepMCP: a ranker whose vectors two other networks help to learn (Ouyang et al., IJCAI 2019).
//!
//! ```text
//! prediction:  all fields ─ MLP ─▶ logit                                                   loss of the task
//! matching:    user's fields ─ tanh MLP ─ v_u ┐· ─▶ logit, the task's loss × matching
//!              item's fields ─ tanh MLP ─ v_i ┘
//! correlation: items of a history ─ tanh MLP ─ h_t: h_t·h_c of near items against h_t·h_n of others × correlation
//! ```
//! All three read the same vectors; only the first predicts. Histories enter the user's fields as their means.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::softplus;
use burn::tensor::{Device, Tensor};
use burnrec_backend::{Activation, average};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::din::History;
use super::{check_vectors, history_lookup};
use crate::blocks::{Half, Layers, LayersConfig, Score, check_probability, check_widths, layer, mean_pool};
use crate::contract::{
    Architecture, Beside, Following, Head, Heads, InputShapes, Inputs, Model, Near, Outputs, Reads, Sequences,
    TaskKind, Trunk,
};
use crate::error::{ModelError, setting};
use crate::initial::Initial;

/// Settings of [`DeepMcp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeepMcpConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// The fields of items; all others are of the user and the moment. When absent those that sequences are histories of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Vec<String>>,
    /// Width of each hidden layer of the prediction.
    pub hidden: Vec<usize>,
    /// Width of each layer of the two sides of the matching; the last is that of their vectors.
    pub towers: Vec<usize>,
    /// Width of each layer of the correlation; the last is that of its vectors.
    pub items: Vec<usize>,
    /// Weight α of the matching.
    pub matching: f64,
    /// Weight β of the correlation.
    pub correlation: f64,
    /// How far apart items of a history may stand to be near, at least 1.
    pub window: usize,
    /// Other items that are drawn against each near one, at least 1.
    pub negatives: usize,
    /// Probability that an activation of the prediction is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for DeepMcpConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            item: None,
            hidden: vec![256, 128],
            towers: vec![64, 32],
            items: vec![64, 32],
            matching: 0.1,
            correlation: 0.1,
            window: 2,
            negatives: 4,
            dropout: 0.0,
            optimizer: None,
        }
    }
}

/// Layers with tanh behind the last: a ReLU would leave many coordinates of a product at 0.
#[derive(Module, Debug)]
struct Side {
    hidden: Layers,
    last: Linear,
}

impl Side {
    fn new(inputs: usize, widths: &[usize], initial: &mut Initial, device: &Device) -> Self {
        let (last, hidden) = widths.split_last().map_or((1, &[][..]), |(last, hidden)| (*last, hidden));
        let layers = LayersConfig { hidden: hidden.to_vec(), dropout: 0.0, batch_norm: false };
        let last = initial.linear_logit(layers.output(inputs), &vec![0.0; last], device);
        Self { hidden: layers.init(inputs, initial, device), last }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        layer(&self.last, self.hidden.forward(x, None), None, Activation::Identity).tanh()
    }
}

/// DeepMCP.
#[derive(Module, Debug)]
pub struct DeepMcp {
    prediction: Layers,
    score: Score,
    /// The user's side and the item's; none where matching has no weight.
    matching: Option<(Side, Side)>,
    /// One a history; none where correlation has no weight.
    correlation: Vec<Side>,
    #[module(skip)]
    histories: Vec<History>,
    #[module(skip)]
    user: Half,
    #[module(skip)]
    item: Half,
    #[module(skip)]
    config: DeepMcpConfig,
}

impl DeepMcpConfig {
    fn halves(&self, shapes: &InputShapes) -> (Half, Half) {
        let candidates = || shapes.sequences[0].iter().filter_map(|s| Some(shapes.slots[0][s.candidate?].clone()));
        let names: Vec<String> = self.item.clone().unwrap_or_else(|| candidates().collect());
        (Half::of(shapes, |name| !names.contains(name)), Half::of(shapes, |name| names.contains(name)))
    }
}

impl Architecture for DeepMcpConfig {
    type Model = DeepMcp;

    const READS: Reads = Reads {
        sequences: Sequences::Asked,
        heads: Heads::One,
        cut: false,
        kinds: &[TaskKind::Binary],
        ..Reads::TOWER
    };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        let model = "deepmcp";
        check_vectors(model, schema, self.embedding_dim, self.embedding_std)?;
        check_widths(model, "hidden", &self.hidden, 1)?;
        check_widths(model, "towers", &self.towers, 1)?;
        check_widths(model, "items", &self.items, 1)?;
        check_probability(model, "dropout", self.dropout)?;
        let shapes = InputShapes::new(&self.slots(schema), schema, Vec::new());
        let known = |field: &String| shapes.slots[0].contains(field) || shapes.numbers.contains(field);
        let weight = |x: f64| x >= 0.0 && x.is_finite();
        match () {
            () if !weight(self.matching) => setting(model, "matching", "must be at least 0"),
            () if !weight(self.correlation) => setting(model, "correlation", "must be at least 0"),
            () if !(1..=100).contains(&self.window) => setting(model, "window", "must lie in 1..=100"),
            () if !(1..=100).contains(&self.negatives) => setting(model, "negatives", "must lie in 1..=100"),
            () if self.item.iter().flatten().any(|field| !known(field)) => {
                setting(model, "item", "names a field that features.fields does not have as one value a row")
            }
            () if self.halves(&shapes).1.width(1) == 0 => setting(model, "item", "names no field of items"),
            () => Ok(()),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let (dim, deviation) = (self.embedding_dim, self.embedding_std);
        Slots(vec![history_lookup("vectors", schema, dim, deviation, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> DeepMcp {
        let (user, item) = self.halves(shapes);
        let (dim, histories) = (self.embedding_dim, History::of(shapes, 0));
        let means = shapes.sequences[0].len() * dim;
        let layers = LayersConfig { hidden: self.hidden.clone(), dropout: self.dropout, batch_norm: false };
        let width = shapes.stacked(0) + means;
        let prediction = layers.init(width, initial, device);
        let score = Score::new(layers.output(width), shapes, initial, device);
        let mut side = |inputs: usize, widths: &[usize]| Side::new(inputs, widths, initial, device);
        let matching = (self.matching > 0.0)
            .then(|| (side(user.width(dim) + means, &self.towers), side(item.width(dim), &self.towers)));
        let own = |history: &History| side(history.sequences.len() * dim, &self.items);
        let correlation = if self.correlation > 0.0 { histories.iter().map(own).collect() } else { Vec::new() };
        DeepMcp { prediction, score, matching, correlation, histories, user, item, config: self.clone() }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

/// `-ln σ(h_t·h_c) - Σ_q ln σ(-h_t·h_q)`, a mean over the pairs.
fn correlate(vectors: &Tensor<2>, following: &Following, negatives: usize) -> Tensor<1> {
    let [pairs] = following.from.dims();
    let width = vectors.dims()[1];
    let own = vectors.clone().select(0, following.from.clone()); // [pairs, h]
    let near = (own.clone() * vectors.clone().select(0, following.to.clone())).sum_dim(1); // [pairs, 1]
    let others = vectors.clone().select(0, following.other.clone()).reshape([pairs, negatives, width]);
    let far = (others * own.unsqueeze_dim::<3>(1)).sum_dim(2).reshape([pairs, negatives]);
    average(softplus(-near, 1.0) + softplus(far, 1.0).sum_dim(1))
}

impl Model for DeepMcp {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, sequences `[positions, k]`; numeric `[B, N]`
    /// - a head, and in training the matching's head and the correlation's loss
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        let means: Vec<Tensor<2>> = self
            .histories
            .iter()
            .flat_map(|history| history.sequences.iter().map(|s| (&inputs.sequences[0][*s], history.group)))
            .map(|(vectors, group)| mean_pool(vectors.clone(), &inputs.segments[group]))
            .collect();
        let all: Vec<Tensor<2>> =
            std::iter::once(inputs.flat(0)).chain(means.iter().cloned()).chain(inputs.numeric.clone()).collect();
        let hidden = self.prediction.forward(Tensor::cat(all, 1), None);
        let mut outputs = self.score.forward(Trunk(vec![hidden]));
        if !inputs.lookups[0].device().is_autodiff() {
            return outputs;
        }
        if let Some((of_user, of_item)) = &self.matching {
            let known = (self.user.width(1) > 0).then(|| self.user.read(inputs));
            let user = of_user.forward(Tensor::cat(known.into_iter().chain(means).collect(), 1));
            let logit = (user * of_item.forward(self.item.read(inputs))).sum_dim(1);
            outputs.beside.push(Beside { task: 0, head: Head::Logit(logit), weight: self.config.matching });
        }
        for (side, history) in self.correlation.iter().zip(&self.histories) {
            if let Some(Some(following)) = inputs.following.get(history.group) {
                let vectors = side.forward(history.keys(inputs, 0));
                outputs.auxiliary.push(correlate(&vectors, following, self.config.negatives) * self.config.correlation);
            }
        }
        outputs
    }

    fn wants_following(&self) -> Option<Near> {
        let near = Near { window: self.config.window, others: self.config.negatives, apart: true };
        (self.config.correlation > 0.0).then_some(near)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Int;

    #[test]
    fn near_items_are_drawn_together_and_others_apart() {
        let device = Device::flex();
        let vectors = Tensor::<2>::from_floats([[1.0, 0.0], [0.5, 7.0], [3.0, -1.0]], &device);
        let ints = |values: &[i32]| Tensor::<1, Int>::from_ints(values, &device);
        // 0 and 1 are near: .5; 0 against 2 and against 1: 3 and .5.
        let following = Following { from: ints(&[0]), to: ints(&[1]), other: ints(&[2, 1]) };
        let found: f32 = correlate(&vectors, &following, 2).into_scalar();
        let softplus = |z: f32| (1.0 + z.exp()).ln();
        let expected = softplus(-0.5) + softplus(3.0) + softplus(0.5);
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}
