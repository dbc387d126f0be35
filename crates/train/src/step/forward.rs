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
}

/// Runs the model.
pub(super) fn forward(model: &AnyModel, gathered: &Gathered, tasks: &[Task]) -> Passed {
    let outputs = model.forward(&gathered.inputs);
    let heads = tasks.iter().zip(&outputs.heads).zip(&gathered.targets);
    let loss = |((task, head), target)| -> Tensor<1> {
        let task: &Task = task;
        task.objective.loss(head, outputs.sampled.as_ref(), target)
    };
    Passed { losses: heads.map(loss).collect(), auxiliary: outputs.auxiliary }
}
