//! How the tasks' losses become one gradient.

mod dwa;
mod gradients;
mod gradnorm;
mod min_norm;
mod pcgrad;
mod solve;
mod uncertainty;

use std::fmt::Debug;
use std::sync::Arc;

use burn::tensor::{Gradients, Tensor};
use burnrec_backend::{has_own_memory, traffic};
use burnrec_models::AnyModel;
use serde::{Deserialize, Serialize};

use super::forward::{self, Passed};
use super::gather::Gathered;
use crate::error::TrainError;
use crate::experiment::MixerConfig;
use crate::task::Task;

use gradients::{Each, Shares};
pub use gradients::{Statistics, Walked};

/// A forward pass that has not been walked back.
pub struct Pass<'a> {
    /// The weights.
    pub model: &'a AnyModel,
    /// The batch.
    pub gathered: &'a Gathered,
    /// The losses.
    pub passed: Passed,
    /// The tasks.
    pub tasks: &'a [Task],
    /// Begins a stream of what passes draw by chance.
    pub(super) redraw: &'a dyn Fn(&str),
}

/// What a mixer made of a pass.
pub struct Mixed {
    /// One gradient of all.
    pub walked: Walked,
    /// Running statistics as one pass left them, where there were several.
    pub statistics: Option<Statistics>,
}

impl Pass<'_> {
    /// Walks `Σ w_k L_k` and the model's own losses back, once.
    pub fn walk(self, weights: &[f64]) -> Mixed {
        self.walk_taking(weights, |_| {})
    }

    fn walk_taking(self, weights: &[f64], take: impl FnOnce(&mut Gradients)) -> Mixed {
        let weigh = |(loss, weight): (Tensor<1>, &f64)| if *weight == 1.0 { loss } else { loss * *weight };
        let Passed { losses, auxiliary, cut, .. } = self.passed;
        let total = losses.into_iter().zip(weights).map(weigh).chain(auxiliary).reduce(|sum, part| sum + part);
        match total {
            Some(total) => {
                let mut gradients = total.backward();
                take(&mut gradients);
                let of_cut = cut.as_ref().map(|cut| cut.take_gradients(&mut gradients));
                let mut walks = vec![Walked::of(gradients, self.model, self.gathered)];
                let through = cut.zip(of_cut).and_then(|(cut, of_cut)| cut.walk(of_cut, self.model, self.gathered));
                walks.extend(through);
                Mixed { walked: Each::untold(walks).whole(self.model), statistics: None }
            }
            None => unreachable!("a model has a task"),
        }
    }

    /// [`Pass::walk`], with the gradient of one more leaf of the graph.
    fn walk_with(self, weights: &[f64], leaf: &Tensor<1>) -> (Mixed, Option<Tensor<1>>) {
        let mut gradient = None;
        let mixed = self.walk_taking(weights, |gradients| gradient = leaf.grad_remove(gradients));
        (mixed, gradient)
    }

    /// The losses of these tasks, in one reading.
    fn read(&self, tasks: &[usize], own_memory: bool) -> Vec<f64> {
        let losses: Vec<Tensor<1>> = tasks.iter().map(|task| self.passed.losses[*task].clone().inner()).collect();
        match losses.is_empty() {
            true => Vec::new(),
            false => traffic::read_from(Tensor::cat(losses, 0), own_memory).into_iter().map(f64::from).collect(),
        }
    }

    /// The tasks that have something to learn in this batch.
    fn teaching(&self) -> Vec<usize> {
        (0..self.tasks.len()).filter(|task| self.gathered.teaches[*task]).collect()
    }

    /// Walks the losses of these tasks back one by one, each by its weight, and the model's own as one more. A graph is walked
    /// once, so that each walk but the first has a forward pass of its own, which draws what the first drew: of the heads alone
    /// where the pass was cut.
    fn each(self, tasks: &[usize], weights: &[f64]) -> (Each, Statistics) {
        let statistics = Statistics::of(self.model);
        let again = self.passed.cut.as_ref().map(forward::Cut::again);
        let has_own = !self.passed.auxiliary.is_empty();
        let mut first = Some(self.passed);
        let mut each = Each::untold(Vec::with_capacity(tasks.len() + 1));
        each.tasks = tasks.len();
        let mut walk = |of: &dyn Fn(&mut Passed) -> Option<Tensor<1>>| {
            let mut passed = first.take().unwrap_or_else(|| match &again {
                Some(cut) => {
                    let (model, asked) = (self.model, forward::Asked::default());
                    forward::heads(model, self.gathered, self.tasks, asked, self.redraw, cut.again())
                }
                None => forward::forward(self.model, self.gathered, self.tasks, forward::Asked::default(), self.redraw),
            });
            let Some(loss) = of(&mut passed) else { return };
            let mut gradients = loss.backward();
            each.at_cut.extend(passed.cut.as_ref().map(|cut| cut.take_gradients(&mut gradients)));
            each.walks.push(Walked::of(gradients, self.model, self.gathered));
        };
        for &task in tasks {
            walk(&|passed| Some(passed.losses.swap_remove(task) * weights[task]));
        }
        if has_own {
            walk(&|passed| std::mem::take(&mut passed.auxiliary).into_iter().reduce(|sum, part| sum + part));
        }
        each.cut = again;
        (each, statistics)
    }

    fn own_memory(&self) -> bool {
        has_own_memory(&self.gathered.leaves[0].device())
    }
}

/// What a mixer keeps between steps, and a checkpoint with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MixerState {
    /// Steps that it learned in.
    pub steps: u64,
    /// Numbers by name, most often one a task.
    pub values: std::collections::BTreeMap<String, Vec<f64>>,
}

impl MixerState {
    /// So many finite numbers under a name.
    fn take(&self, name: &str, count: usize) -> Result<Vec<f64>, String> {
        match self.values.get(name) {
            Some(values) if values.len() == count && values.iter().all(|v| v.is_finite()) => Ok(values.clone()),
            _ => Err(format!("lacks {count} numbers of `{name}`")),
        }
    }
}

/// Weighs the tasks.
pub trait Mixer: Debug + Send {
    /// Walks a pass back.
    fn gradients(&mut self, pass: Pass<'_>) -> Mixed;

    /// Whether it compares gradients where trunk and heads meet.
    fn mixes_at_cut(&self) -> bool {
        false
    }

    /// Called behind the last step of each epoch.
    fn end_epoch(&mut self) {}

    /// What each task weighs now, where that changes.
    fn weights(&self) -> Option<Vec<f64>> {
        None
    }

    /// What it keeps between steps; none where it keeps nothing.
    fn state(&self) -> Option<MixerState> {
        None
    }

    /// Takes up what it kept; why not, where that is not its own.
    fn restore(&mut self, _state: &MixerState) -> Result<(), String> {
        Ok(())
    }
}

/// The weights of the config, the same at every step.
#[derive(Clone, Debug)]
pub struct Fixed(pub Vec<f64>);

impl Mixer for Fixed {
    fn gradients(&mut self, pass: Pass<'_>) -> Mixed {
        pass.walk(&self.0)
    }
}

impl MixerConfig {
    /// The mixer of these tasks; `seed` drives what it draws.
    pub(crate) fn build(&self, tasks: &Arc<[Task]>, seed: u64) -> Box<dyn Mixer> {
        let weights: Vec<f64> = tasks.iter().map(|task| task.weight).collect();
        match self {
            Self::Fixed {} => Box::new(Fixed(weights)),
            Self::Uncertainty { rate, unified } => {
                Box::new(uncertainty::Uncertainty::new(tasks, weights, *rate, *unified))
            }
            Self::Dwa { temperature } => Box::new(dwa::Dwa::new(weights, *temperature)),
            Self::Gradnorm { alpha, rate, first_steps } => {
                Box::new(gradnorm::GradNorm::new(weights, *alpha, *rate, *first_steps))
            }
            Self::Pcgrad { over } => Box::new(pcgrad::PcGrad::new(weights, seed, *over)),
            Self::Mgda { normalise, over } => Box::new(min_norm::Mgda::new(weights, *normalise, *over)),
            Self::PeLtr { floors, every, over } => {
                let floor = |task: &Task| floors.get(&task.name).copied().unwrap_or(0.0);
                Box::new(min_norm::PeLtr::new(weights, tasks.iter().map(floor).collect(), *every, *over))
            }
        }
    }
}

/// A mixer's state of another config, or one that is damaged.
pub(crate) fn foreign(problem: String) -> TrainError {
    crate::error::bad("checkpoint", format!("what its mixer kept {problem}; it is of another config, or damaged"))
}

/// Adam for a few numbers on the host (Kingma & Ba, ICLR 2015).
#[derive(Clone, Debug, Default)]
struct SmallAdam {
    first: Vec<f64>,
    second: Vec<f64>,
    steps: u64,
}

impl SmallAdam {
    fn new(count: usize) -> Self {
        Self { first: vec![0.0; count], second: vec![0.0; count], steps: 0 }
    }

    fn step(&mut self, values: &mut [f64], gradient: &[f64], rate: f64) {
        self.steps += 1;
        let time = self.steps as i32;
        for (at, value) in values.iter_mut().enumerate() {
            self.first[at] = 0.9 * self.first[at] + 0.1 * gradient[at];
            self.second[at] = 0.999 * self.second[at] + 0.001 * gradient[at] * gradient[at];
            let (first, second) =
                (self.first[at] / (1.0 - 0.9f64.powi(time)), self.second[at] / (1.0 - 0.999f64.powi(time)));
            *value -= rate * first / (second.sqrt() + 1e-8);
        }
    }
}
