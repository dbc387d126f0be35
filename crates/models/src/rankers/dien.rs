//! DIEN, the deep interest evolution network (Zhou et al., AAAI 2019): how an interest moves towards what is asked.
//!
//! ```text
//! history ─ extractor GRU ─ h_t ─┬─ auxiliary loss against the next behaviour ──▶ loss
//! candidate ─ attention a_t ─────┴─ evolving GRU, its update gate scaled by a_t ─ last state ┐
//! sum of the history ────────────────────────────────────────────────────────────────────────┤
//! all fields embedded, numbers ──────────────────────────────────────────────────────────────┴ MLP ─▶ logit [B, 1]
//! ```
//! Sequences are declared as for DIN. The paper's AUGRU leaves the state alone where a_t is 0; the released code's formula
//! does not, and is `evolve = "augru_released"`. The auxiliary loss asks each state for the behaviour that follows, and
//! against one of another position of the batch that is another id, drawn by a seeded stream; it is a mean over the pairs
//! that there are, whatever the rows weigh.

use burn::module::{Module, Param};
use burn::tensor::activation::softplus;
use burn::tensor::{Device, Tensor};
use burnrec_backend::{Segments, Update, average, product, segment_softmax, segment_sum, spread_mul, weighted_sum};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::din::History;
use super::{check_vectors, history_lookup};
use crate::blocks::{ActivationKind, GruUnit, LayersConfig, Score, Tower};
use crate::contract::{
    Architecture, Following, InputShapes, Inputs, Model, Near, Outputs, Reads, Sequences, Trunk, matrix_weights,
};
use crate::error::ModelError;
use crate::initial::Initial;

/// How attention enters the evolving unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Evolve {
    /// It scales the update gate.
    #[default]
    Augru,
    /// It is the update gate.
    Agru,
    /// It scales the input.
    Aigru,
    /// What the released code computes under the name of AUGRU.
    AugruReleased,
}

/// Settings of [`Dien`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DienConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// How attention enters the evolving unit.
    pub evolve: Evolve,
    /// Weight α of the auxiliary loss; 0 leaves it out.
    pub auxiliary: f64,
    /// Width of each hidden layer of the MLP.
    pub hidden: Vec<usize>,
    /// Activation of the MLP.
    pub activation: ActivationKind,
    /// Probability that an activation of the MLP is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for DienConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            evolve: Evolve::default(),
            auxiliary: 1.0,
            hidden: vec![200, 80],
            activation: ActivationKind::default(),
            dropout: 0.0,
            optimizer: None,
        }
    }
}

/// One history's interest.
#[derive(Module, Debug)]
struct Interest {
    extract: GruUnit,
    evolve: GruUnit,
    /// W of the scores `h_tᵀ W v` `[d, d]`.
    attention: Param<Tensor<2>>,
}

/// A deep interest evolution network.
#[derive(Module, Debug)]
pub struct Dien {
    interests: Vec<Interest>,
    tower: Tower,
    score: Score,
    #[module(skip)]
    histories: Vec<History>,
    #[module(skip)]
    how: Evolve,
    auxiliary: f64,
}

impl Architecture for DienConfig {
    type Model = Dien;

    const READS: Reads = Reads { sequences: Sequences::Asked, cut: false, ..Reads::TOWER };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_vectors("dien", schema, self.embedding_dim, self.embedding_std)?;
        if !(self.auxiliary >= 0.0 && self.auxiliary.is_finite()) {
            let problem = "must be a number of at least 0".into();
            return Err(ModelError::Setting { model: "dien", key: "auxiliary".into(), problem });
        }
        LayersConfig { hidden: self.hidden.clone(), dropout: self.dropout, ..LayersConfig::default() }.check("dien")
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let (dim, deviation) = (self.embedding_dim, self.embedding_std);
        Slots(vec![history_lookup("vectors", schema, dim, deviation, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Dien {
        let histories = History::of(shapes, 0);
        let dim = |h: &History| h.sequences.len() * self.embedding_dim;
        let interest = |h: &History, initial: &mut Initial| Interest {
            extract: GruUnit::new(dim(h), initial, device),
            evolve: GruUnit::new(dim(h), initial, device),
            attention: initial.normal((1.0 / dim(h) as f32).sqrt(), [dim(h), dim(h)], device),
        };
        let interests = histories.iter().map(|h| interest(h, initial)).collect();
        let width = shapes.stacked(0) + 2 * histories.iter().map(dim).sum::<usize>();
        let last = self.hidden.last().copied().unwrap_or(width);
        Dien {
            interests,
            tower: Tower::new(width, &self.hidden, self.activation, self.dropout, initial, device),
            score: Score::new(last, shapes, initial, device),
            histories,
            how: self.evolve,
            auxiliary: self.auxiliary,
        }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Interest {
    /// The states of the extractor `[positions, d]`.
    fn states(&self, keys: Tensor<2>, segments: &Segments) -> Tensor<2> {
        let none = Tensor::zeros([keys.dims()[0], 1], &keys.device());
        self.extract.forward(keys, none, segments, Update::Plain)
    }

    /// What each state counts for the row's candidate, `[positions, 1]`.
    fn asked(&self, states: &Tensor<2>, query: Tensor<2>, segments: &Segments) -> Tensor<2> {
        let asked = product(query, self.attention.val()); // [B, d]
        segment_softmax(spread_mul(states.clone(), asked, segments).sum_dim(1), segments)
    }

    /// The last state `[B, d]`, and the states of the extractor `[positions, d]`.
    fn forward(&self, keys: Tensor<2>, query: Tensor<2>, segments: &Segments, how: Evolve) -> (Tensor<2>, Tensor<2>) {
        let device = keys.device();
        let states = self.states(keys, segments);
        let attention = self.asked(&states, query, segments);
        let (input, update) = match how {
            Evolve::Augru => (states.clone(), Update::Scaled),
            Evolve::Agru => (states.clone(), Update::Attention),
            Evolve::AugruReleased => (states.clone(), Update::Released),
            Evolve::Aigru => (states.clone() * attention.clone(), Update::Plain),
        };
        let evolved = self.evolve.forward(input, attention, segments, update);
        (weighted_sum(evolved, segments.last(&device), segments), states)
    }
}

/// `-ln σ(h_t·e_{t+1}) - ln(1 - σ(h_t·e⁻))`, a mean over pairs.
fn auxiliary(states: &Tensor<2>, keys: &Tensor<2>, following: &Following) -> Tensor<1> {
    let from = states.clone().select(0, following.from.clone()); // [pairs, d]
    let score = |of: &Tensor<1, burn::tensor::Int>| (from.clone() * keys.clone().select(0, of.clone())).sum_dim(1);
    average(softplus(-score(&following.to), 1.0) + softplus(score(&following.other), 1.0))
}

impl Model for Dien {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, sequences `[positions, k]`; numeric `[B, N]`
    /// - heads, and the auxiliary loss in training
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        let mut parts = vec![inputs.flat(0)]; // [B, F·k]
        let mut losses = Vec::new();
        for (interest, history) in self.interests.iter().zip(&self.histories) {
            let (keys, query) = (history.keys(inputs, 0), history.query(inputs, 0));
            let segments = &inputs.segments[history.group];
            let (last, states) = interest.forward(keys.clone(), query, segments, self.how);
            if let Some(Some(following)) = inputs.following.get(history.group) {
                losses.push(auxiliary(&states, &keys, following) * self.auxiliary);
            }
            parts.push(last); // [B, d]
            parts.push(segment_sum(keys, segments)); // [B, d]
        }
        parts.extend(inputs.numeric.clone()); // [B, N]
        let hidden = self.tower.forward(Tensor::cat(parts, 1)); // [B, h]
        Outputs { auxiliary: losses, ..self.score.forward(Trunk(vec![hidden])) }
    }

    /// Both units work once a position; the map of the candidate, the MLP and the heads once a row.
    fn products(&self, positions: f64) -> f64 {
        let of = |i: &Interest| {
            (matrix_weights(&i.extract) + matrix_weights(&i.evolve)) * positions + matrix_weights(&i.attention)
        };
        self.interests.iter().map(of).sum::<f64>() + matrix_weights(&self.tower) + matrix_weights(&self.score)
    }

    fn attention(&self, inputs: &Inputs) -> Vec<(usize, Tensor<2>)> {
        let of = |(interest, history): (&Interest, &History)| {
            let segments = &inputs.segments[history.group];
            let states = interest.states(history.keys(inputs, 0), segments);
            (history.group, interest.asked(&states, history.query(inputs, 0), segments))
        };
        self.interests.iter().zip(&self.histories).map(of).collect()
    }

    fn wants_following(&self) -> Option<Near> {
        (self.auxiliary > 0.0).then(Near::default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::layer;
    use burn::tensor::{Int, Tolerance};
    use burnrec_backend::Activation;

    fn ints(values: &[i32], device: &Device) -> Tensor<1, Int> {
        Tensor::from_ints(values, device)
    }

    #[test]
    fn the_auxiliary_loss_asks_a_state_for_what_follows_it() {
        let device = Device::flex();
        let states = Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]], &device);
        let keys = Tensor::<2>::from_floats([[9.0, 9.0], [0.5, 7.0], [3.0, -1.0]], &device);
        // State 0 · key 1 = .5 and state 1 · key 2 = -2 follow; state 0 · key 2 = 3 and state 1 · key 0 = 18 do not.
        let following =
            Following { from: ints(&[0, 1], &device), to: ints(&[1, 2], &device), other: ints(&[2, 0], &device) };
        let found: f32 = auxiliary(&states, &keys, &following).into_scalar();
        let softplus = |z: f32| (1.0 + z.exp()).ln();
        let expected = (softplus(-0.5) + softplus(2.0) + softplus(3.0) + softplus(18.0)) / 2.0;
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }

    #[test]
    fn an_interest_is_the_last_state_of_the_second_unit_fed_by_the_first() {
        let device = Device::flex();
        let mut initial = Initial::new(2);
        let interest = Interest {
            extract: GruUnit::new(3, &mut initial, &device),
            evolve: GruUnit::new(3, &mut initial, &device),
            attention: initial.normal(1.0, [3, 3], &device),
        };
        let keys = initial.normal(1.0, [5, 3], &device).val();
        let query = initial.normal(1.0, [2, 3], &device).val();
        let segments = Segments::new(&[0, 3, 5], &device);
        for how in [Evolve::Augru, Evolve::Agru, Evolve::Aigru] {
            let (last, states) = interest.forward(keys.clone(), query.clone(), &segments, how);
            for (row, span) in [(0, 0..3), (1, 3..5)] {
                // One row by itself, step by step, its attention a softmax over its own steps.
                let own = |t: &Tensor<2>| t.clone().slice([span.clone(), 0..3]);
                let asked = query.clone().slice([row..row + 1, 0..3]).matmul(interest.attention.val());
                let scores = (own(&states) * asked).sum_dim(1); // [T, 1]
                let a = burn::tensor::activation::softmax(scores, 0);
                let mut h = Tensor::<2>::zeros([1, 3], &device);
                for t in 0..span.len() {
                    let at = a.clone().slice([t..t + 1, 0..1]);
                    let x = own(&states).slice([t..t + 1, 0..3]);
                    let x = if how == Evolve::Aigru { x * at.clone() } else { x };
                    let xw = layer(&interest.evolve.input, x, None, Activation::Identity);
                    let hu = h.clone().matmul(interest.evolve.recurrent.val());
                    let part = |t: &Tensor<2>, i: usize| t.clone().slice([0..1, 3 * i..3 * i + 3]);
                    let gate = |i: usize| burn::tensor::activation::sigmoid(part(&xw, i) + part(&hu, i));
                    let c = (part(&xw, 2) + gate(1) * part(&hu, 2)).tanh();
                    let z = match how {
                        Evolve::Augru => gate(0) * at,
                        Evolve::Agru => gate(0) * 0.0 + at,
                        _ => gate(0),
                    };
                    h = h.clone() + z * (c - h);
                }
                let found = last.clone().slice([row..row + 1, 0..3]).into_data();
                found.assert_approx_eq::<f32>(&h.into_data(), Tolerance::absolute(1e-5));
            }
        }
    }
}
