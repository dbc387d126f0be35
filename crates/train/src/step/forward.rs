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
}

/// Runs the model.
pub(super) fn forward(model: &AnyModel, gathered: &Gathered, tasks: &[Task], scored: bool) -> Passed {
    let outputs = model.forward(&gathered.inputs);
    let heads = tasks.iter().zip(&outputs.heads).zip(&gathered.targets);
    let loss = |((task, head), target)| -> Tensor<1> {
        let task: &Task = task;
        task.objective.loss(head, outputs.sampled.as_ref(), target)
    };
    let losses = heads.map(loss).collect();
    let scores = scored.then(|| outputs.scores().inner());
    Passed { losses, auxiliary: outputs.auxiliary, scores }
}
