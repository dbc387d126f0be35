//! PLE, progressive layered extraction: experts of each task's own beside shared ones, level upon level (Tang et al., RecSys
//! 2020). One level is CGC.
//!
//! ```text
//! level j:  own experts of task k   over g^k ┐
//!           shared experts          over g^s ┴ gate of task k ─▶ next g^k;   gate over all experts of all ─▶ next g^s
//! level 0:  g^k = g^s = the inputs;  last level: no shared gate;  then a tower a task
//! ```

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnrec_backend::mixtures;
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, vector_lookup};
use crate::blocks::{ExpertGate, Experts, Towers, check_probability, check_widths};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::{ModelError, setting};
use crate::initial::Initial;

/// Settings of [`Ple`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PleConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Width of the experts of each level; every expert is one layer.
    pub levels: Vec<usize>,
    /// Experts of each task's own a level, 1..=64.
    pub own_experts: usize,
    /// Experts that all tasks share a level, 1..=64.
    pub shared_experts: usize,
    /// Width of each layer of a task's own tower; without layers, the head reads the mixture directly.
    pub tower: Vec<usize>,
    /// Probability that an expert is left out of a mixture in training, 0..1; the others then share its part.
    pub gate_dropout: f64,
    /// Probability that a tower's activation is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for PleConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            levels: vec![256, 128],
            own_experts: 1,
            shared_experts: 1,
            tower: vec![64],
            gate_dropout: 0.0,
            dropout: 0.0,
            optimizer: None,
        }
    }
}

/// One level of extraction.
#[derive(Module, Debug)]
struct Level {
    /// One group a task.
    own: Vec<Experts>,
    shared: Experts,
    /// One a task, over its own experts and the shared ones.
    gates: Vec<ExpertGate>,
    /// Over all experts; none at the last level.
    shared_gate: Option<ExpertGate>,
}

/// PLE.
#[derive(Module, Debug)]
pub struct Ple {
    levels: Vec<Level>,
    towers: Towers,
}

impl Architecture for PleConfig {
    type Model = Ple;

    const READS: Reads = Reads { cut: false, ..Reads::TOWER };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_vectors("ple", schema, self.embedding_dim, self.embedding_std)?;
        check_widths("ple", "levels", &self.levels, 1)?;
        check_widths("ple", "tower", &self.tower, 0)?;
        check_probability("ple", "gate_dropout", self.gate_dropout)?;
        check_probability("ple", "dropout", self.dropout)?;
        match () {
            () if !(1..=64).contains(&self.own_experts) => setting("ple", "own_experts", "must lie in 1..=64"),
            () if !(1..=64).contains(&self.shared_experts) => setting("ple", "shared_experts", "must lie in 1..=64"),
            () if self.tower.is_empty() && self.dropout > 0.0 => {
                setting("ple", "dropout", "has no meaning without layers in the towers; remove it")
            }
            () => Ok(()),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        Slots(vec![vector_lookup("deep", schema, self.embedding_dim, self.embedding_std, self.optimizer.clone())])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Ple {
        let (mut width, tasks) = (shapes.stacked(0), shapes.outputs.len());
        let mut levels = Vec::with_capacity(self.levels.len());
        for (number, &hidden) in self.levels.iter().enumerate() {
            let is_last = number + 1 == self.levels.len();
            let (own, shared) = (self.own_experts, self.shared_experts);
            let mut group = |count: usize| Experts::new(count, width, &[hidden], initial, device);
            let (of_tasks, of_all) = ((0..tasks).map(|_| group(own)).collect(), group(shared));
            let mut gate = |count: usize| ExpertGate::new(width, count, self.gate_dropout, initial, device);
            levels.push(Level {
                own: of_tasks,
                shared: of_all,
                gates: (0..tasks).map(|_| gate(own + shared)).collect(),
                shared_gate: (!is_last).then(|| gate(tasks * own + shared)),
            });
            width = hidden;
        }
        Ple { levels, towers: Towers::new(width, &self.tower, self.dropout, shapes, initial, device) }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

/// What a group of experts reads: one tensor, or two side by side.
type Input = (Tensor<2>, Option<Tensor<2>>);

impl Level {
    /// # Shapes
    /// - `own`: a task's `[B, i]` each; `shared`: `[B, i]`
    /// - output: `[B, h]` a task, and the shared one if there is a level behind; the shares of each gate, that of
    ///   the shared one last
    fn forward(&self, own: &[Input], shared: Input) -> (Vec<Tensor<2>>, Option<Tensor<2>>, Vec<Tensor<2>>) {
        let of_all = self.shared.forward(shared.0.clone(), shared.1.clone()); // [B, s·h]
        let of_tasks: Vec<Tensor<2>> =
            self.own.iter().zip(own).map(|(experts, (x, beside))| experts.forward(x.clone(), beside.clone())).collect();
        let shares: Vec<Tensor<2>> =
            self.gates.iter().zip(own).map(|(g, (x, beside))| g.forward(x.clone(), beside.clone())).collect();
        let next = self.shared_gate.as_ref().map(|gate| gate.forward(shared.0, shared.1)); // [B, T·o + s]
        let (mixed, taken) = extract(of_tasks, of_all, &shares, next.as_ref());
        (mixed, taken, shares.into_iter().chain(next).collect())
    }
}

/// What the gates take of the experts: of each task's own and of the shared ones, each group read once for all gates.
///
/// # Shapes
/// - `own`: `[B, o·h]` a task; `shared`: `[B, s·h]`; `shares`: `[B, o + s]` a task; `all`: `[B, T·o + s]`
/// - output: `[B, h]` a task, and that of `all`
fn extract(
    own: Vec<Tensor<2>>,
    shared: Tensor<2>,
    shares: &[Tensor<2>],
    all: Option<&Tensor<2>>,
) -> (Vec<Tensor<2>>, Option<Tensor<2>>) {
    let (tasks, rows, width) = (own.len(), shared.dims()[0], shares[0].dims()[1]);
    // Experts are of one width.
    let count = own[0].dims()[1] * width / (own[0].dims()[1] + shared.dims()[1]);
    let part = |share: &Tensor<2>, at: std::ops::Range<usize>| share.clone().slice([0..rows, at]);
    let of_shared = shares.iter().map(|share| part(share, count..width));
    let rest = all.map(|share| part(share, tasks * count..tasks * count + width - count));
    let mut mixed = mixtures(of_shared.chain(rest).collect(), shared);
    let mut next = all.and_then(|_| mixed.pop());
    for (task, experts) in own.into_iter().enumerate() {
        let gates = std::iter::once(part(&shares[task], 0..count));
        let gates = gates.chain(all.map(|share| part(share, task * count..(task + 1) * count)));
        let mut found = mixtures(gates.collect(), experts);
        next = next.map(|sum| found.pop().map_or(sum.clone(), |own| sum + own));
        mixed[task] = mixed[task].clone() + found.swap_remove(0);
    }
    (mixed, next)
}

impl Model for Ple {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, numeric `[B, N]`
    /// - trunk: the last mixture of each task `[B, h]`, then the shares `[B, E]` of every gate, level by level
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        let first: Input = (inputs.flat(0), inputs.numeric.clone());
        let mut own = vec![first.clone(); self.levels.first().map_or(0, |level| level.own.len())];
        let (mut shared, mut shares) = (first, Vec::new());
        for level in &self.levels {
            let (mixed, next, gates) = level.forward(&own, shared.clone());
            shares.extend(gates);
            own = mixed.into_iter().map(|x| (x, None)).collect();
            shared = next.map_or(shared, |x| (x, None));
        }
        Trunk(own.into_iter().map(|(x, _)| x).chain(shares).collect())
    }

    fn heads(&self, trunk: Trunk, _inputs: &Inputs) -> Outputs {
        let tasks = self.levels.first().map_or(0, |level| level.own.len());
        let (mixed, shares) = trunk.0.split_at(tasks);
        let names = self.levels.iter().enumerate().flat_map(|(at, level)| {
            let of = if self.levels.len() > 1 { format!("level {} ", at + 1) } else { String::new() };
            let shared = level.shared_gate.is_some().then(|| format!("{of}shared gate"));
            (0..tasks).map(|task| format!("{of}gate {}", task + 1)).chain(shared).collect::<Vec<_>>()
        });
        let gates = names.zip(shares.iter().cloned()).collect();
        Outputs { gates, ..self.towers.forward(|task| mixed[task].clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest gradient of the first task's head in each private expert of task 2, by level.
    fn reached(levels: &[usize]) -> Vec<f32> {
        let device = Device::flex().autodiff();
        let shapes = InputShapes { lookups: vec![(2, 3)], outputs: vec![vec![0.1], vec![-0.2]], ..Default::default() };
        let config = PleConfig { levels: levels.to_vec(), tower: vec![3], ..PleConfig::default() };
        let mut initial = Initial::new(3);
        let model = config.init(&shapes, &mut initial, &device);
        let inputs = Inputs::slots(vec![initial.normal(1.0, [8, 2, 3], &device).val()], None);
        let gradients = model.forward(&inputs).heads[0].scores().exp().sum().backward();
        let of = |level: &Level| {
            let gradient = level.own[1].first_weights().grad(&gradients);
            gradient.map_or(0.0, |g| g.abs().max().into_scalar::<f32>())
        };
        model.levels.iter().map(of).collect()
    }

    #[test]
    fn groups_read_once_are_what_each_gate_takes_of_its_experts_side_by_side() {
        let (device, mut initial) = (Device::flex(), Initial::new(3));
        let mut random = |width: usize| initial.normal(1.0, [6, width], &device).val();
        // Three tasks of 2 experts and 4 shared ones, 5 wide.
        let (own, shared) = ([random(10), random(10), random(10)], random(20));
        let (shares, all) = ([random(6), random(6), random(6)], random(10));
        let (mixed, next) = extract(own.to_vec(), shared.clone(), &shares, Some(&all));
        let close = |a: Tensor<2>, b: Tensor<2>| assert!((a - b).abs().max().into_scalar::<f32>() < 1e-4);
        for ((mixed, own), share) in mixed.into_iter().zip(&own).zip(shares) {
            close(mixed, ExpertGate::mix(share, Tensor::cat(vec![own.clone(), shared.clone()], 1)));
        }
        close(next.unwrap(), ExpertGate::mix(all, Tensor::cat(own.into_iter().chain([shared]).collect(), 1)));
    }

    #[test]
    fn every_gate_of_every_level_is_told() {
        let device = Device::flex();
        let shapes = InputShapes { lookups: vec![(2, 3)], outputs: vec![vec![0.1], vec![-0.2]], ..Default::default() };
        let config = PleConfig { levels: vec![5, 4], tower: vec![3], own_experts: 1, ..PleConfig::default() };
        let mut initial = Initial::new(3);
        let model = config.init(&shapes, &mut initial, &device);
        let gates = model.forward(&Inputs::slots(vec![initial.normal(1.0, [8, 2, 3], &device).val()], None)).gates;
        let names: Vec<&str> = gates.iter().map(|(name, _)| name.as_str()).collect();
        let shared = PleConfig::default().shared_experts;
        assert_eq!(
            names,
            ["level 1 gate 1", "level 1 gate 2", "level 1 shared gate", "level 2 gate 1", "level 2 gate 2"]
        );
        assert_eq!((gates[0].1.dims()[1], gates[2].1.dims()[1]), (1 + shared, 2 + shared));
        assert!(
            gates.iter().all(|(_, shares)| (shares.clone().sum_dim(1) - 1.0).abs().max().into_scalar::<f32>() < 1e-5)
        );
    }

    #[test]
    fn private_experts_of_the_last_level_learn_from_their_own_task_alone() {
        assert_eq!(reached(&[5]), [0.0]);
        let two = reached(&[5, 4]);
        // Before the last level they reach other tasks by what is shared.
        assert!(two[0] > 0.0 && two[1] == 0.0, "{two:?}");
    }
}
