//! DRN's dueling Q-network (Zheng et al., WWW 2018): what a state is worth, and what an action adds to it.
//!
//! ```text
//! state s = (user, context) ─┬─ MLP ─ linear ──────────────────────▶ V(s)    [B, 1] ┐
//!                            └─ W_s·s ┐                                              + ─▶ Q(s, a) [B, 1]
//! action a = (item, its user) ─ W_a·a ┴ ReLU ─ MLP ─ linear ───────▶ A(s, a) [B, 1] ┘
//! ```
//! The first layer over state and action is two products, so that the state's half is computed once for all candidates of
//! a request: it is the trunk. Sums are plain, as in the paper, unless an agent tells the candidates of requests from each other
//! and has the mean of their advantages taken away; hidden widths, which it does not state, are settings.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData, activation::relu};
use burnrec_backend::{Activation, Segments, segment_sum, spread};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, vector_lookup};
use crate::blocks::{Half, Layers, LayersConfig, check_widths, layer};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, TaskKind, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`Drn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DrnConfig {
    /// The fields of the state: of the user and of the moment. All others are of the action. When absent, both halves read
    /// all fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Vec<String>>,
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Width of each hidden layer of V(s).
    pub value_hidden: Vec<usize>,
    /// Width of each hidden layer of A(s, a).
    pub advantage_hidden: Vec<usize>,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for DrnConfig {
    fn default() -> Self {
        Self {
            state: None,
            embedding_dim: 16,
            embedding_std: 0.01,
            value_hidden: vec![128, 64],
            advantage_hidden: vec![256, 128, 64],
            optimizer: None,
        }
    }
}

/// DRN's Q-network.
#[derive(Module, Debug)]
pub struct Drn {
    value: Layers,
    value_score: Linear,
    /// The state's half of the first layer `[S, h]`, with its bias.
    advantage_state: Linear,
    /// The action's half `[A, h]`.
    advantage_action: Linear,
    advantage: Layers,
    advantage_score: Linear,
    #[module(skip)]
    state: Half,
    #[module(skip)]
    action: Half,
    /// Whether the halves are apart.
    #[module(skip)]
    is_divided: bool,
}

impl DrnConfig {
    /// What state and action read of these slots and numbers; everything twice where nothing is named.
    fn halves(&self, slots: &[String], numbers: &[String]) -> (Half, Half) {
        let half = |is: &dyn Fn(&String) -> bool| Half {
            slots: (0..slots.len()).filter(|slot| is(&slots[*slot])).collect(),
            numbers: (0..numbers.len()).filter(|number| is(&numbers[*number])).collect(),
        };
        match &self.state {
            None => (half(&|_| true), half(&|_| true)),
            Some(state) => (half(&|name| state.contains(name)), half(&|name| !state.contains(name))),
        }
    }
}

impl Architecture for DrnConfig {
    type Model = Drn;

    const READS: Reads =
        Reads { crosses: false, kinds: &[TaskKind::Binary, TaskKind::Regression], looks_ahead: true, ..Reads::LINEAR };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        let bad = |problem: String| Err(ModelError::Setting { model: "drn", key: "state".into(), problem });
        check_vectors("drn", schema, self.embedding_dim, self.embedding_std)?;
        check_widths("drn", "value_hidden", &self.value_hidden, 0)?;
        check_widths("drn", "advantage_hidden", &self.advantage_hidden, 1)?;
        let Some(state) = &self.state else { return Ok(()) };
        let slots: Vec<String> = schema.columns_only().iter().map(|f| schema.categorical[*f].name.clone()).collect();
        let numbers: Vec<String> = schema.numeric.iter().map(|number| number.field.clone()).collect();
        if let Some(name) = state.iter().find(|name| !slots.contains(name) && !numbers.contains(name)) {
            return bad(format!("names `{name}`, and features.fields has no such field"));
        }
        let (state, action) = self.halves(&slots, &numbers);
        match () {
            () if state.width(1) == 0 => bad("is empty; name the fields of user and moment, or remove it".into()),
            () if action.width(1) == 0 => bad("names all fields, and leaves none for the action".into()),
            () => Ok(()),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        Slots(vec![vector_lookup("deep", schema, self.embedding_dim, self.embedding_std, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Drn {
        let dim = shapes.lookups[0].1;
        let (state, action) = self.halves(&shapes.slots[0], &shapes.numbers);
        let (s, a) = (state.width(dim), action.width(dim));
        let plain = |hidden: &[usize]| LayersConfig { hidden: hidden.to_vec(), dropout: 0.0, batch_norm: false };
        let (first, rest) = (self.advantage_hidden[0], plain(&self.advantage_hidden[1..]));
        let value = plain(&self.value_hidden);
        // He et al. 2015 over both halves together.
        let deviation = (2.0 / (s + a).max(1) as f32).sqrt();
        let last = rest.output(first);
        Drn {
            value: value.init(s, initial, device),
            value_score: initial.linear_logit(value.output(s), &[shapes.bias()], device),
            advantage_state: Linear {
                weight: initial.normal(deviation, [s, first], device),
                bias: Some(initial.zeros([first], device)),
            },
            advantage_action: Linear { weight: initial.normal(deviation, [a, first], device), bias: None },
            advantage: rest.init(first, initial, device),
            // Small, so that states are learned before what tells actions apart is believed.
            advantage_score: Linear {
                weight: initial.normal(0.1 / (last as f32).sqrt(), [last, 1], device),
                bias: Some(initial.zeros([1], device)),
            },
            state,
            action,
            is_divided: self.state.is_some(),
        }
    }

    fn learns_as_it_predicts(&self) -> bool {
        true
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for Drn {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, numeric `[B, N]`
    /// - trunk: V(s) `[B, 1]` and the state's half of the first layer `[B, h]`
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        let state = self.state.read(inputs); // [B, S]
        let value = self.value.forward(state.clone(), None); // [B, v]
        let value = layer(&self.value_score, value, None, Activation::Identity); // [B, 1]
        Trunk(vec![value, layer(&self.advantage_state, state, None, Activation::Identity)])
    }

    fn heads(&self, trunk: Trunk, inputs: &Inputs) -> Outputs {
        let value = trunk.0[0].clone();
        let hidden = self.hidden(trunk, inputs);
        let advantage = layer(&self.advantage_score, hidden, None, Activation::Identity); // [B, 1]
        Outputs::one(match &inputs.requests {
            Some(requests) => value + advantage.clone() - mean(advantage, requests),
            None => value + advantage,
        })
    }

    fn trunk_is_of_state(&self) -> bool {
        self.is_divided
    }

    fn last_hidden(&self, trunk: Trunk, inputs: &Inputs) -> Option<Tensor<2>> {
        Some(self.hidden(trunk, inputs))
    }
}

/// The mean over the rows of each request, on each of them `[B, 1]` (Wang et al., ICML 2016).
fn mean(advantage: Tensor<2>, requests: &Segments) -> Tensor<2> {
    let share = |span: &[u32]| 1.0 / (span[1] - span[0]).max(1) as f32;
    let shares: Vec<f32> = requests.offsets().windows(2).map(share).collect();
    let count = shares.len();
    let shares: Tensor<2> = Tensor::from_data(TensorData::new(shares, [count, 1]), &advantage.device());
    spread(segment_sum(advantage, requests) * shares, requests)
}

impl Drn {
    /// The last hidden layer of A(s, a) `[B, h]`.
    fn hidden(&self, mut trunk: Trunk, inputs: &Inputs) -> Tensor<2> {
        let state = trunk.0.swap_remove(1); // [B, h]
        let action = layer(&self.advantage_action, self.action.read(inputs), None, Activation::Identity); // [B, h]
        self.advantage.forward(relu(state + action), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn model(state: Option<&[&str]>, device: &Device) -> Drn {
        let shapes = InputShapes {
            lookups: vec![(3, 2)],
            slots: vec![names(&["item", "topic", "user"])],
            numbers: names(&["age", "hour"]),
            numeric: 2,
            outputs: vec![vec![0.25]],
            ..InputShapes::default()
        };
        let config = DrnConfig { embedding_dim: 2, state: state.map(names), ..DrnConfig::default() };
        config.init(&shapes, &mut Initial::new(3), device)
    }

    /// Candidates of one request: the user and the hour are the same on all rows.
    fn inputs(rows: usize, device: &Device) -> Inputs {
        let vector = |row: usize| {
            let own = row as f32 * 0.3 - 0.5;
            [own, 1.0 - own, own * own, 0.2 * own, 0.7, -0.4]
        };
        let vectors: Vec<f32> = (0..rows).flat_map(vector).collect();
        let numbers: Vec<f32> = (0..rows).flat_map(|row| [row as f32 * 0.1, 0.9]).collect();
        let numeric = Tensor::from_data(TensorData::new(numbers, [rows, 2]), device);
        Inputs::slots(vec![Tensor::from_data(TensorData::new(vectors, [rows, 3, 2]), device)], Some(numeric))
    }

    fn read(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn a_state_that_is_computed_once_gives_the_scores_of_whole_rows() {
        let device = Device::flex();
        let model = model(Some(&["user", "hour"]), &device);
        assert!(model.trunk_is_of_state());
        let (one, all) = (inputs(1, &device), inputs(5, &device));
        let zeros: Tensor<1, burn::tensor::Int> = Tensor::zeros([5], &device);
        let spread = Trunk(model.trunk(&one).0.into_iter().map(|half| half.select(0, zeros.clone())).collect());
        let (spread, whole) = (read(model.heads(spread, &all).scores()), read(model.forward(&all).scores()));
        assert!(spread.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-6), "{spread:?} {whole:?}");
        assert!(whole.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 1e-4), "actions are told apart");
        let values = read(model.trunk(&all).0.swap_remove(0));
        assert!(values.iter().all(|value| *value == values[0]), "V sees the action: {values:?}");
    }

    #[test]
    fn where_requests_are_told_apart_advantages_are_about_their_mean() {
        let device = Device::flex();
        let model = model(Some(&["user", "hour"]), &device);
        let plain = inputs(5, &device);
        let told = Inputs { requests: Some(Segments::new(&[0, 2, 5], &device)), ..plain.clone() };
        let value = read(model.trunk(&plain).0.swap_remove(0))[0];
        let (plain, told) = (read(model.forward(&plain).scores()), read(model.forward(&told).scores()));
        for span in [0..2, 2..5] {
            let mean = |of: &[f32]| of.iter().sum::<f32>() / of.len() as f32;
            assert!((mean(&told[span.clone()]) - value).abs() < 1e-6);
            let moved = mean(&plain[span.clone()]) - value;
            assert!(span.clone().all(|row| (plain[row] - moved - told[row]).abs() < 1e-6), "{plain:?} {told:?}");
        }
    }

    #[test]
    fn without_names_both_halves_read_everything() {
        let device = Device::flex();
        let model = model(None, &device);
        assert!(!model.trunk_is_of_state());
        assert_eq!(model.value.forward(model.state.read(&inputs(2, &device)), None).dims(), [2, 64]);
        let values = read(model.trunk(&inputs(3, &device)).0.swap_remove(0));
        assert!((values[0] - values[2]).abs() > 1e-5);
    }
}
