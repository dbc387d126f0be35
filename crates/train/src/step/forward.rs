//! The second stage: heads, and how far each task is off.

use burn::tensor::Tensor;
use burnrec_models::{AnyModel, Model};

use super::gather::Gathered;
use crate::task::Task;

/// What a forward pass came to.
pub struct Passed {
    /// The loss of each task `[1]`, not weighed.
    pub losses: Vec<Tensor<1>>,
    /// Losses of the model's own.
    pub auxiliary: Vec<Tensor<1>>,
    /// The scores of all tasks side by side `[B, Σ widths]`, off the graph, where they are asked for.
    pub scores: Option<Tensor<2>>,
    /// How much of each expert each gate takes, `[B, E]` off the graph, where that is asked for.
    pub gates: Vec<(String, Tensor<2>)>,
}

/// What a pass is asked for beside losses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    pub(super) scores: bool,
    pub(super) gates: bool,
}

/// Runs the model.
pub(super) fn forward(model: &AnyModel, gathered: &Gathered, tasks: &[Task], asked: Asked) -> Passed {
    let outputs = model.forward(&gathered.inputs);
    let heads = tasks.iter().zip(&outputs.heads).zip(&gathered.targets);
    let loss = |((task, head), target)| -> Tensor<1> {
        let task: &Task = task;
        task.objective.loss(head, outputs.sampled.as_ref(), target)
    };
    let losses = heads.map(loss).collect();
    let mut auxiliary = outputs.auxiliary.clone();
    auxiliary.extend(outputs.beside.iter().map(|beside| {
        tasks[beside.task].objective.loss(&beside.head, None, &gathered.targets[beside.task]) * beside.weight
    }));
    let scores = asked.scores.then(|| outputs.scores().inner());
    let gates = if asked.gates { outputs.gates } else { Vec::new() };
    let gates = gates.into_iter().map(|(name, shares)| (name, shares.inner())).collect();
    Passed { losses, auxiliary, scores, gates }
}
