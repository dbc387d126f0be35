//! The second stage: heads, and how far each task is off.

use burn::tensor::Tensor;
use burnrec_models::{AnyModel, Model, Outputs, Trunk};

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
    /// Where the pass was cut; the losses reach no further.
    pub cut: Option<Cut>,
}

/// Where trunk and heads were cut apart.
pub struct Cut {
    /// What the trunk gave, on its own graph.
    pub whole: Trunk,
    /// The same as the heads took it, leaves of theirs.
    pub leaves: Vec<Tensor<2>>,
}

impl Cut {
    fn of(whole: Trunk) -> Self {
        let leaves = whole.0.iter().map(|part| part.clone().detach().require_grad()).collect();
        Self { whole, leaves }
    }

    /// The same place with leaves that no walk has reached.
    pub(super) fn again(&self) -> Self {
        Self::of(self.whole.clone())
    }
}

/// The streams that dropout draws from: of whole passes and trunks, and of heads behind a cut.
pub(super) const DROPOUT: &str = "dropout";
const DROPOUT_OF_HEADS: &str = "dropout of heads";

/// What a pass is asked for beside losses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    pub(super) scores: bool,
    pub(super) gates: bool,
    /// Whether trunk and heads are cut apart.
    pub(super) cut: bool,
}

/// Runs the model; `redraw` begins a stream of its draws.
pub(super) fn forward(
    model: &AnyModel,
    gathered: &Gathered,
    tasks: &[Task],
    asked: Asked,
    redraw: &dyn Fn(&str),
) -> Passed {
    redraw(DROPOUT);
    match asked.cut {
        true => heads(model, gathered, tasks, asked, redraw, Cut::of(model.trunk(&gathered.inputs))),
        false => losses(gathered, tasks, asked, model.forward(&gathered.inputs)),
    }
}

/// Runs the heads behind a cut.
pub(super) fn heads(
    model: &AnyModel,
    gathered: &Gathered,
    tasks: &[Task],
    asked: Asked,
    redraw: &dyn Fn(&str),
    cut: Cut,
) -> Passed {
    redraw(DROPOUT_OF_HEADS);
    let outputs = model.heads(Trunk(cut.leaves.clone()), &gathered.inputs);
    Passed { cut: Some(cut), ..losses(gathered, tasks, asked, outputs) }
}

/// How far each task is off.
fn losses(gathered: &Gathered, tasks: &[Task], asked: Asked, outputs: Outputs) -> Passed {
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
    Passed { losses, auxiliary, scores, gates, cut: None }
}
