//! `[train.mixer]`: how the losses of several tasks become one step.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tasks::TasksConfig;
use crate::error::{TrainError, bad};

/// How the losses of several tasks are weighed, or their gradients mixed. The `weight` of a task multiplies its loss before;
/// uncertainty and gradnorm, which even losses out, all but undo it.
///
/// The last four take a forward and a backward pass a task, and read a small matrix from the device, at every step that mixes:
/// all of pcgrad and mgda, those of pe_ltr that solve, those of gradnorm behind its first ones. Gradients are compared over what
/// tasks share: dense weights that more than one reaches, and the vectors looked up for the batch, place by place, so that what
/// a method promises holds of the tables where an id stands once in the batch, and about so where it stands often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum MixerConfig {
    /// By the tasks' `weight`, the same at every step.
    // With braces, so that keys beside its kind are refused.
    Fixed {},
    /// By learned uncertainty: `e^{-s} L + s/2` for classes, `e^{-s} L / 2 + s/2` for numbers (Kendall et al., CVPR 2018).
    Uncertainty {
        /// Uncertainty: learning rate of s, under Adam.
        #[serde(default = "hundredth")]
        rate: f64,
        /// Uncertainty: whether classes are weighed as numbers are, so that at its best each term is 1/2.
        #[serde(default)]
        unified: bool,
    },
    /// By how fast each loss fell from one epoch to the next: `K softmax(r / T)` (Liu et al., CVPR 2019).
    Dwa {
        /// Dwa: the temperature T; the larger, the more even.
        #[serde(default = "two")]
        temperature: f64,
    },
    /// So that gradients are of like size, larger for tasks that learn slowly (Chen et al., ICML 2018).
    Gradnorm {
        /// Gradnorm: how much slow tasks are favoured.
        #[serde(default = "one_and_a_half")]
        alpha: f64,
        /// Gradnorm: learning rate of the weights, under Adam.
        #[serde(default = "fortieth")]
        rate: f64,
        /// Gradnorm: first steps of each task whose mean loss is what it started from; weights stay until all have them.
        #[serde(default = "hundred")]
        first_steps: u64,
    },
    /// From each task's gradient the part that opposes another task's is removed (Yu et al., NeurIPS 2020).
    Pcgrad {
        /// Pcgrad, mgda, pe_ltr: where gradients are compared; `cut` with mgda is the paper's MGDA-UB.
        #[serde(default)]
        over: Over,
    },
    /// The shortest mixture of gradients: a direction that no task opposes (Sener & Koltun, NeurIPS 2018).
    Mgda {
        /// Mgda: what gradients are divided by before they are mixed.
        #[serde(default)]
        normalise: Normalise,
        /// Pcgrad, mgda, pe_ltr: where gradients are compared; `cut` with mgda is the paper's MGDA-UB.
        #[serde(default)]
        over: Over,
    },
    /// As mgda, with a least share for each task, its floor (Lin et al., RecSys 2019).
    PeLtr {
        /// Pe_ltr: the least share of each task by name, 0 where none is given; at most 1 together.
        #[serde(default)]
        floors: BTreeMap<String, f64>,
        /// Pe_ltr: steps between solutions; shares stay in between, and a step costs as much as a fixed one.
        #[serde(default = "ten")]
        every: u64,
        /// Pcgrad, mgda, pe_ltr: where gradients are compared; `cut` with mgda is the paper's MGDA-UB.
        #[serde(default)]
        over: Over,
    },
}

/// Where the tasks' gradients are compared with each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// Over all weights and vectors that several tasks reach: a walk through the whole model for each task.
    #[default]
    Weights,
    /// Over what the shared part of the model gives, row by row: the heads are walked for each task, by its weight (and its share
    /// of pe_ltr), and the shared part once. It costs little more than one walk, of models whose tasks part behind a shared part.
    Cut,
}

impl Default for MixerConfig {
    fn default() -> Self {
        Self::Fixed {}
    }
}

/// What gradients are divided by before the shortest mixture is sought. It is of the gradients so divided, and no task opposes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// Nothing.
    #[default]
    None,
    /// Their length.
    L2,
    /// The loss.
    Loss,
    /// Both.
    LossL2,
}

fn hundredth() -> f64 {
    0.01
}

fn two() -> f64 {
    2.0
}

fn one_and_a_half() -> f64 {
    1.5
}

fn fortieth() -> f64 {
    0.025
}

fn hundred() -> u64 {
    100
}

fn ten() -> u64 {
    10
}

impl MixerConfig {
    /// Whether gradients are compared at a cut, which not every model has.
    pub(crate) fn needs_cut(&self) -> bool {
        let (Self::Pcgrad { over } | Self::Mgda { over, .. } | Self::PeLtr { over, .. }) = self else { return false };
        *over == Over::Cut
    }

    /// Refuses settings that cannot work with these tasks.
    pub(crate) fn check(&self, tasks: &TasksConfig) -> Result<(), TrainError> {
        let refused = |key: &str, problem: &str| Err(bad(format!("train.mixer.{key}"), problem));
        let positive = |x: f64| x > 0.0 && x.is_finite();
        if *self != Self::default() && tasks.0.len() < 2 {
            return refused("kind", "mixes tasks, and there is one; remove [train.mixer], or declare another task");
        }
        match self {
            Self::Uncertainty { rate, .. } if !positive(*rate) => refused("rate", "must be above 0"),
            Self::Dwa { temperature } if !positive(*temperature) => refused("temperature", "must be above 0"),
            Self::Gradnorm { alpha, .. } if !(*alpha >= 0.0 && alpha.is_finite()) => {
                refused("alpha", "must be at least 0")
            }
            Self::Gradnorm { rate, .. } if !positive(*rate) => refused("rate", "must be above 0"),
            Self::Gradnorm { first_steps: 0, .. } => refused("first_steps", "must be at least 1"),
            Self::PeLtr { every: 0, .. } => refused("every", "must be at least 1"),
            Self::PeLtr { floors, .. } => {
                if let Some(name) = floors.keys().find(|name| tasks.0.iter().all(|(task, _)| task != *name)) {
                    return refused("floors", &format!("names `{name}`, and there is no such task"));
                }
                match floors.values().all(|floor| (0.0..=1.0).contains(floor))
                    && floors.values().sum::<f64>() <= 1.0 + 1e-9
                {
                    true => Ok(()),
                    false => refused("floors", "must each lie in 0..=1, and be at most 1 together"),
                }
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_a_kind_does_not_have_are_refused() {
        for kind in ["fixed", "uncertainty", "dwa", "gradnorm", "pcgrad", "mgda", "pe_ltr"] {
            assert!(toml::from_str::<MixerConfig>(&format!("kind = \"{kind}\"")).is_ok(), "{kind}");
            assert!(toml::from_str::<MixerConfig>(&format!("kind = \"{kind}\"\nx = 1")).is_err(), "{kind}");
        }
    }
}
