//! YouTube's multitask ranker: MMoE over a shared layer, and a shallow tower for the place at which an item was shown (Zhao et
//! al., RecSys 2019).
//!
//! ```text
//! fields but places ─ shared layers ─ MMoE ─ tower a task ─▶ z_k ┐
//! places ─ shallow tower, training only ─▶ b_k ──────────────────┴ + ─▶ head k
//! ```
//! What was shown far up is clicked more than it deserves. The shallow tower explains that, so that z_k need not. When asked,
//! places are missing, and b_k is nothing; in training they are missing of some rows too, so that z_k stands by itself.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Distribution, Tensor};
use burnrec_backend::{Activation, mixtures};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MmoeConfig, check_vectors, vector_lookup};
use crate::blocks::{ExpertGate, Experts, Layers, LayersConfig, Towers, check_probability, check_widths, layer};
use crate::contract::{Architecture, Fields, Head, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::{ModelError, setting};
use crate::initial::Initial;

/// Settings of [`YoutubeRanker`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct YoutubeRankerConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// The fields that say where and how an item was shown, of one id a row: read by the shallow tower alone.
    pub places: Vec<String>,
    /// The tasks that places have a say in; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub biased: Option<Vec<String>>,
    /// Probability that a row's places are missing in training, 0..1.
    pub places_dropout: f64,
    /// Width of each hidden layer of the shallow tower.
    pub shallow: Vec<usize>,
    /// Width of each layer below the experts.
    pub bottom: Vec<usize>,
    /// Experts, 1..=256.
    pub experts: usize,
    /// Width of each layer of an expert.
    pub expert: Vec<usize>,
    /// Width of each layer of a task's own tower; without layers, the head reads the mixture directly.
    pub tower: Vec<usize>,
    /// Probability that an expert is left out of a mixture in training, 0..1; the others then share its part.
    pub gate_dropout: f64,
    /// Probability that an activation is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for YoutubeRankerConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            places: vec!["position".into()],
            biased: None,
            places_dropout: 0.1,
            shallow: vec![],
            bottom: vec![256],
            experts: 8,
            expert: vec![128],
            tower: vec![64],
            gate_dropout: 0.1,
            dropout: 0.0,
            optimizer: None,
        }
    }
}

/// The ranker.
#[derive(Module, Debug)]
pub struct YoutubeRanker {
    bottom: Layers,
    experts: Experts,
    /// One a task.
    gates: Vec<ExpertGate>,
    towers: Towers,
    shallow: Layers,
    /// One a task that places have a say in.
    shallow_scores: Vec<Linear>,
    #[module(skip)]
    biased: Vec<bool>,
    #[module(skip)]
    places_dropout: f64,
}

impl YoutubeRankerConfig {
    fn layers(&self, hidden: &[usize]) -> LayersConfig {
        let dropout = if hidden.is_empty() { 0.0 } else { self.dropout };
        LayersConfig { hidden: hidden.to_vec(), dropout, batch_norm: false }
    }

    fn mixture(&self) -> MmoeConfig {
        MmoeConfig {
            experts: self.experts,
            expert: self.expert.clone(),
            tower: self.tower.clone(),
            // One expert has none to share with.
            gate_dropout: if self.experts == 1 { 0.0 } else { self.gate_dropout },
            dropout: if self.tower.is_empty() { 0.0 } else { self.dropout },
            ..MmoeConfig::default()
        }
    }
}

impl Architecture for YoutubeRankerConfig {
    type Model = YoutubeRanker;

    const READS: Reads = Reads { fields: Fields::Placed, ..Reads::TOWER };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        let model = "youtube_ranker";
        check_vectors(model, schema, self.embedding_dim, self.embedding_std)?;
        check_widths(model, "shallow", &self.shallow, 0)?;
        check_widths(model, "bottom", &self.bottom, 0)?;
        check_probability(model, "places_dropout", self.places_dropout)?;
        check_probability(model, "dropout", self.dropout)?;
        check_probability(model, "gate_dropout", self.gate_dropout)?;
        self.mixture().check_as(model, schema)?;
        let own = |place: &usize| self.places.contains(&schema.categorical[*place].name);
        let fields = schema.columns_only();
        let found: Vec<&usize> = fields.iter().filter(|place| own(place)).collect();
        let known = |name: &&String| found.iter().any(|place| schema.categorical[**place].name == **name);
        let task = |name: &&String| schema.targets.iter().any(|target| target.name == **name);
        match () {
            () if self.places.is_empty() => setting(model, "places", "names no field; without places it is mmoe"),
            () if self.places.iter().enumerate().any(|(at, name)| self.places[..at].contains(name)) => {
                setting(model, "places", "names a field twice")
            }
            () if !self.places.iter().all(|name| known(&name)) => {
                let name = self.places.iter().find(|name| !known(name)).map_or("", String::as_str);
                let problem = format!(
                    "needs where an item was shown, and no field of ids is called `{name}`; declare it (a number as kind \"bucket\"), or name the one that it is with model.{model}.places"
                );
                Err(ModelError::Field { model, problem })
            }
            () if found.len() == fields.len() => {
                setting(model, "places", "names all fields of ids; what is asked about needs some")
            }
            () if self.biased.iter().flatten().any(|name| !task(&name)) => {
                setting(model, "biased", "names a task that there is not")
            }
            () if self.biased.as_ref().is_some_and(Vec::is_empty) => {
                setting(model, "biased", "names no task; without any it is mmoe")
            }
            () => Ok(()),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let lookup = |name| vector_lookup(name, schema, self.embedding_dim, self.embedding_std, self.optimizer.clone());
        let own = |place: &usize| self.places.contains(&schema.categorical[*place].name);
        let (mut deep, mut shallow) = (lookup("deep"), lookup("shallow"));
        deep.features.retain(|place| !own(place));
        shallow.features.retain(own);
        Slots(vec![deep, shallow])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> YoutubeRanker {
        let (bottom, shallow) = (self.layers(&self.bottom), self.layers(&self.shallow));
        let is_biased = |task: usize| match (&self.biased, shapes.tasks.get(task)) {
            (Some(named), Some(name)) => named.contains(name),
            _ => true,
        };
        let biased: Vec<bool> = (0..shapes.outputs.len()).map(is_biased).collect();
        let (below, places) = (bottom.output(shapes.stacked(0)), shapes.lookups[1].0 * shapes.lookups[1].1);
        let mixed = self.expert.last().copied().unwrap_or(1);
        let built = bottom.init(shapes.stacked(0), initial, device);
        let experts = Experts::new(self.experts, below, &self.expert, initial, device);
        let gates = shapes.outputs.iter();
        let gates =
            gates.map(|_| ExpertGate::new(below, self.experts, self.mixture().gate_dropout, initial, device)).collect();
        let dropout = self.mixture().dropout;
        let towers = Towers::new(mixed, &self.tower, dropout, shapes, initial, device);
        let own = shapes.outputs.iter().zip(&biased).filter(|(_, biased)| **biased);
        let score = |(biases, _): (&Vec<f32>, &bool)| Linear {
            bias: None,
            ..initial.linear_logit(shallow.output(places), &vec![0.0; biases.len()], device)
        };
        let shallow_scores = own.map(score).collect();
        YoutubeRanker {
            bottom: built,
            experts,
            gates,
            towers,
            shallow: shallow.init(places, initial, device),
            shallow_scores,
            biased,
            places_dropout: self.places_dropout,
        }
    }

    /// Places are missing when asked.
    fn unasked(&self) -> Vec<String> {
        self.places.clone()
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl YoutubeRanker {
    /// What places add to the log-odds of each task that they have a say in, in training; nothing when asked.
    fn of_places(&self, inputs: &Inputs) -> Option<Vec<Tensor<2>>> {
        let places = inputs.flat(1);
        let device = places.device();
        if !device.is_autodiff() {
            return None;
        }
        let hidden = self.shallow.forward(places.clone(), None);
        let there = (self.places_dropout > 0.0).then(|| {
            let rows = places.dims()[0];
            Tensor::<2>::random([rows, 1], Distribution::Bernoulli(1.0 - self.places_dropout), &device)
        });
        let score = |score: &Linear| {
            let bias = layer(score, hidden.clone(), None, Activation::Identity);
            match &there {
                Some(there) => bias * there.clone(),
                None => bias,
            }
        };
        Some(self.shallow_scores.iter().map(score).collect())
    }
}

impl Model for YoutubeRanker {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, lookup 1: those of places; numeric `[B, N]`
    /// - trunk: the experts `[B, E·h]`, and the last shared layer `[B, b]` that gates read
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        let shared = self.bottom.forward(inputs.flat(0), inputs.numeric.clone());
        Trunk(vec![self.experts.forward(shared.clone(), None), shared])
    }

    fn heads(&self, mut trunk: Trunk, inputs: &Inputs) -> Outputs {
        let (shared, experts) = (trunk.0.swap_remove(1), trunk.0.swap_remove(0));
        let shares: Vec<Tensor<2>> = self.gates.iter().map(|gate| gate.forward(shared.clone(), None)).collect();
        let mixed = mixtures(shares.clone(), experts); // [B, h], one a task
        let logits = self.towers.logits(|task| (mixed[task].clone(), None));
        let mut places = self.of_places(inputs).map(Vec::into_iter);
        let head =
            |(logit, biased): (Tensor<2>, &bool)| match places.as_mut().filter(|_| *biased).and_then(Iterator::next) {
                Some(of_place) => Head::Logit(logit + of_place),
                None => Head::Logit(logit),
            };
        let heads = logits.into_iter().zip(&self.biased).map(head).collect();
        let gates = shares.into_iter().enumerate().map(|(task, share)| (format!("gate {}", task + 1), share)).collect();
        Outputs { gates, ..Outputs::of(heads) }
    }
}
