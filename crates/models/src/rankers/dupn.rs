//! DUPN: one vector of a user for many tasks, from what the user did in its order (Ni et al., KDD 2018).
//!
//! ```text
//! behaviour t: item e_t, properties p_t ─ LSTM, its gates open to p_t ─ h_t ┐
//! user u ─ profile ─────────────────────────────────────────────────────────┴ attention over t ─ Σ a_t h_t ┐
//! user vector = [Σ a_t h_t; profile] ─┐                                                          profile ──┘
//! the item's fields ──────────────────┴ concat ─ tower a task ─▶ head
//! ```
//! The user vector is the trunk: it reads nothing of the item, and is computed once a request. Equations of the gates are those
//! of an LSTM with peepholes into which properties enter; the paper's own are known to us by their structure alone.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use burnrec_backend::{Activation, Segments, segment_softmax, spread_add, weighted_sum};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, history_lookup};
use crate::blocks::{Half, LstmUnit, Towers, check_probability, check_widths, layer};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Sequences, Trunk, matrix_weights};
use crate::error::{ModelError, setting};
use crate::initial::Initial;

/// Settings of [`Dupn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DupnConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// The fields of items; all others are of the user and the moment. When absent those that sequences are histories of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Vec<String>>,
    /// The sequences that are properties of behaviours, such as what was done and when: they open gates.
    pub properties: Vec<String>,
    /// Width of the states of behaviours.
    pub state: usize,
    /// Width of the user's profile.
    pub profile: usize,
    /// Width of the attention's hidden layer.
    pub attention: usize,
    /// Width of each layer of a task's own tower.
    pub tower: Vec<usize>,
    /// Probability that a tower's activation is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for DupnConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            item: None,
            properties: Vec::new(),
            state: 64,
            profile: 64,
            attention: 32,
            tower: vec![128, 64],
            dropout: 0.0,
            optimizer: None,
        }
    }
}

/// Sequences that go along with each other.
#[derive(Clone, Debug, Default)]
struct Behaviours {
    group: usize,
    items: Vec<usize>,
    properties: Vec<usize>,
}

/// The vector of what a user did.
#[derive(Module, Debug)]
struct Remembered {
    lstm: LstmUnit,
    /// Of states and properties `[h + p, a]`, with the layer's bias.
    keys: Linear,
    /// Of the profile `[u, a]`; none without fields of users.
    query: Option<Linear>,
    /// `[a, 1]`.
    score: Linear,
}

/// DUPN.
#[derive(Module, Debug)]
pub struct Dupn {
    remembered: Vec<Remembered>,
    /// None without fields of users.
    profile: Option<Linear>,
    towers: Towers,
    #[module(skip)]
    behaviours: Vec<Behaviours>,
    #[module(skip)]
    user: Half,
    #[module(skip)]
    item: Half,
}

impl DupnConfig {
    fn halves(&self, shapes: &InputShapes) -> (Half, Half) {
        let candidates = || shapes.sequences[0].iter().filter_map(|s| Some(shapes.slots[0][s.candidate?].clone()));
        let names: Vec<String> = self.item.clone().unwrap_or_else(|| candidates().collect());
        (Half::of(shapes, |name| !names.contains(name)), Half::of(shapes, |name| names.contains(name)))
    }

    fn behaviours(&self, shapes: &InputShapes) -> Vec<Behaviours> {
        let mut all: Vec<Behaviours> = Vec::new();
        for (number, shape) in shapes.sequences[0].iter().enumerate() {
            let at = all.iter().position(|b| b.group == shape.group).unwrap_or_else(|| {
                all.push(Behaviours { group: shape.group, ..Behaviours::default() });
                all.len() - 1
            });
            match self.properties.contains(&shapes.sequence_names[0][number]) {
                true => all[at].properties.push(number),
                false => all[at].items.push(number),
            }
        }
        all
    }
}

impl Architecture for DupnConfig {
    type Model = Dupn;

    const READS: Reads = Reads { sequences: Sequences::Ordered, ..Reads::TOWER };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_vectors("dupn", schema, self.embedding_dim, self.embedding_std)?;
        check_widths("dupn", "state", &[self.state], 1)?;
        check_widths("dupn", "profile", &[self.profile], 1)?;
        check_widths("dupn", "attention", &[self.attention], 1)?;
        check_widths("dupn", "tower", &self.tower, 0)?;
        check_probability("dupn", "dropout", self.dropout)?;
        let name = |place: &usize| schema.categorical[*place].name.clone();
        let sequences: Vec<String> = schema.sequences().iter().map(name).collect();
        let shapes = InputShapes::new(&self.slots(schema), schema, Vec::new());
        let known = |field: &String| shapes.slots[0].contains(field) || shapes.numbers.contains(field);
        if let Some(field) = self.properties.iter().find(|field| !sequences.contains(field)) {
            return setting("dupn", "properties", format!("names `{field}`, which is no field of kind sequence"));
        }
        if let Some(field) = self.item.iter().flatten().find(|field| !known(field)) {
            return setting(
                "dupn",
                "item",
                format!("names `{field}`, and features.fields has no such field of one value"),
            );
        }
        if self.behaviours(&shapes).iter().any(|own| own.items.is_empty()) {
            return setting(
                "dupn",
                "properties",
                "leaves a history without a sequence that says what it is of; a property goes `along` with one",
            );
        }
        match self.halves(&shapes).1.width(1) {
            0 => setting("dupn", "item", "no field is of the item; name those that are, as item = [\"item_id\"]"),
            _ if self.tower.is_empty() && self.dropout > 0.0 => {
                setting("dupn", "dropout", "has no meaning without layers in the towers; remove it")
            }
            _ => Ok(()),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let (dim, deviation) = (self.embedding_dim, self.embedding_std);
        Slots(vec![history_lookup("vectors", schema, dim, deviation, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Dupn {
        let (user, item) = self.halves(shapes);
        let (dim, behaviours) = (self.embedding_dim, self.behaviours(shapes));
        let known = user.width(dim);
        let profile = (known > 0).then(|| initial.linear_relu(known, self.profile, device));
        let own = |b: &Behaviours, initial: &mut Initial| {
            let properties = b.properties.len() * dim;
            let query = || Linear { bias: None, ..initial.linear_relu(self.profile, self.attention, device) };
            let query = (known > 0).then(query);
            Remembered {
                lstm: LstmUnit::new(b.items.len() * dim, properties, self.state, initial, device),
                keys: initial.linear_relu(self.state + properties, self.attention, device),
                query,
                score: Linear { bias: None, ..initial.linear_logit(self.attention, &[0.0], device) },
            }
        };
        let remembered: Vec<Remembered> = behaviours.iter().map(|b| own(b, initial)).collect();
        let vector = remembered.len() * self.state + if known > 0 { self.profile } else { 0 };
        let towers = Towers::new(vector + item.width(dim), &self.tower, self.dropout, shapes, initial, device);
        Dupn { remembered, profile, towers, behaviours, user, item }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Remembered {
    /// The states h_t `[positions, h]`, and what each counts, a_t `[positions, 1]`.
    fn forward(
        &self,
        items: Tensor<2>,
        properties: Option<Tensor<2>>,
        profile: Option<Tensor<2>>,
        segments: &Segments,
    ) -> (Tensor<2>, Tensor<2>) {
        let states = self.lstm.forward(items, properties.clone(), segments); // [positions, h]
        let keys = layer(&self.keys, states.clone(), properties, Activation::Identity); // [positions, a]
        let hidden = match (&self.query, profile) {
            (Some(query), Some(profile)) => {
                spread_add(keys, layer(query, profile, None, Activation::Identity), segments, Activation::Relu)
            }
            _ => burn::tensor::activation::relu(keys),
        };
        let scores = layer(&self.score, hidden, None, Activation::Identity); // [positions, 1]
        (states, segment_softmax(scores, segments))
    }
}

impl Dupn {
    /// The profile `[B, u]`; none without fields of users.
    fn known(&self, inputs: &Inputs) -> Option<Tensor<2>> {
        self.profile.as_ref().map(|p| layer(p, self.user.read(inputs), None, Activation::Relu))
    }

    /// Of each history its group, states and what those count.
    fn remembered(
        &self,
        inputs: &Inputs,
        profile: Option<&Tensor<2>>,
    ) -> impl Iterator<Item = (usize, Tensor<2>, Tensor<2>)> {
        let of = |places: &[usize]| {
            let parts: Vec<Tensor<2>> = places.iter().map(|place| inputs.sequences[0][*place].clone()).collect();
            (!parts.is_empty()).then(|| Tensor::cat(parts, 1))
        };
        self.remembered.iter().zip(&self.behaviours).filter_map(move |(remembered, b)| {
            let segments = &inputs.segments[b.group];
            let (states, counts) = remembered.forward(of(&b.items)?, of(&b.properties), profile.cloned(), segments);
            Some((b.group, states, counts))
        })
    }
}

impl Model for Dupn {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, sequences `[positions, k]`; numeric `[B, N]`
    /// - trunk: the user vector `[B, U]`
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        let rows = inputs.lookups[0].dims()[0];
        let profile = self.known(inputs);
        let asked = match inputs.one_history {
            true => profile.clone().map(|p| p.narrow(0, 0, 1)),
            false => profile.clone(),
        };
        let own = self.remembered(inputs, asked.as_ref()).map(|(group, states, counts)| {
            let vector = weighted_sum(states, counts, &inputs.segments[group]); // Σ a_t h_t, [B, h]
            if inputs.one_history { vector.repeat_dim(0, rows) } else { vector }
        });
        let parts: Vec<Tensor<2>> = own.chain(profile.clone()).collect();
        Trunk(vec![Tensor::cat(parts, 1)])
    }

    fn heads(&self, mut trunk: Trunk, inputs: &Inputs) -> Outputs {
        let (user, item) = (trunk.0.swap_remove(0), self.item.read(inputs));
        let logits = self.towers.logits(|_| (user.clone(), Some(item.clone())));
        Outputs::of(logits.into_iter().map(crate::contract::Head::Logit).collect())
    }

    fn trunk_is_of_state(&self) -> bool {
        true
    }

    fn takes_one_history(&self) -> bool {
        true
    }

    fn attention(&self, inputs: &Inputs) -> Vec<(usize, Tensor<2>)> {
        let profile = self.known(inputs);
        self.remembered(inputs, profile.as_ref()).map(|(group, _, counts)| (group, counts)).collect()
    }

    /// The unit and the attention work once a position; the profile and the towers once a row.
    fn products(&self, positions: f64) -> f64 {
        let own: f64 = self.remembered.iter().map(matrix_weights).sum();
        own * positions + matrix_weights(&self.towers) + self.profile.as_ref().map_or(0.0, matrix_weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::SequenceShape;

    #[test]
    fn the_user_vector_of_one_row_scores_any_item_as_the_whole_model_does() {
        let device = Device::flex();
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let shapes = InputShapes {
            lookups: vec![(2, 3)],
            sequences: vec![vec![
                SequenceShape { group: 0, candidate: Some(0) },
                SequenceShape { group: 0, candidate: None },
            ]],
            sequence_names: vec![names(&["history", "kinds"])],
            slots: vec![names(&["item", "user"])],
            outputs: vec![vec![0.1], vec![-0.2]],
            ..InputShapes::default()
        };
        let config = DupnConfig { embedding_dim: 3, properties: names(&["kinds"]), ..DupnConfig::default() };
        let mut initial = Initial::new(3);
        let model = config.init(&shapes, &mut initial, &device);
        // Five candidates of one user, with one history of four.
        let items = initial.normal(1.0, [5, 1, 3], &device).val();
        let user = initial.normal(1.0, [1, 1, 3], &device).val();
        let slots = Tensor::cat(vec![items, user.repeat_dim(0, 5)], 1);
        let steps: Vec<Tensor<2>> = (0..2).map(|_| initial.normal(1.0, [4, 3], &device).val()).collect();
        let inputs = |slots: Tensor<3>, rows: usize| Inputs {
            sequences: vec![steps.iter().map(|s| s.clone().repeat_dim(0, rows)).collect()],
            segments: vec![Segments::new(&(0..=rows as u32).map(|r| 4 * r).collect::<Vec<_>>(), &device)],
            ..Inputs::slots(vec![slots], None)
        };
        let read = |o: Outputs| o.scores().into_data().try_to_vec::<f32>().unwrap();
        let whole = read(model.forward(&inputs(slots.clone(), 5)));
        let once = model.trunk(&inputs(slots.clone().narrow(0, 0, 1), 1)).0.swap_remove(0);
        let split = read(model.heads(Trunk(vec![once.repeat_dim(0, 5)]), &inputs(slots.clone(), 5)));
        assert_eq!(whole, split);
        let one = Inputs { one_history: true, lookups: vec![slots], ..inputs(Tensor::zeros([1, 2, 3], &device), 1) };
        assert_eq!(whole, read(model.forward(&one)));
    }
}
