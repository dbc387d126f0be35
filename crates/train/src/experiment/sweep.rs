//! `[sweep]`: which settings are tried out, and how.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{TrainError, bad};

/// Settings that are tried out. A trial is a run of this experiment with some settings changed; trials are ranked by
/// `train.monitor` on the validation rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepConfig {
    /// How settings are chosen.
    #[serde(default)]
    pub method: SweepMethod,
    /// How many settings are tried; all of a grid when absent, else 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<usize>,
    /// Runs of each, of seeds `run.seed`, `run.seed + 1`, …; what it comes to is their mean.
    #[serde(default = "one")]
    pub repeats: usize,
    /// Whether repeats have generated rows of their own too: `data.regression.seed` counts up as `run.seed` does.
    #[serde(default)]
    pub fresh_data: bool,
    /// Seed of what is drawn.
    #[serde(default = "one_seed")]
    pub seed: u64,
    /// Tpe: trials by chance before the model of what is good decides.
    #[serde(default = "five")]
    pub first: usize,
    /// Halving: one in so many trials goes on, with so many times the epochs.
    #[serde(default = "three")]
    pub factor: usize,
    /// More metrics to show beside each trial, as `test.auc` or `test.click.auc`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub show: Vec<String>,
    /// Two metrics, as `valid.click.auc`; the trials that no other beats in both are its Pareto front.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pareto: Option<[String; 2]>,
    /// Settings by their keys: `"train.learning_rate" = { low = 1e-4, high = 1e-1, log = true }`,
    /// `"model.deepfm.embedding_dim" = { values = [8, 16, 32] }`.
    pub space: BTreeMap<String, SweepRange>,
}

/// How settings are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SweepMethod {
    /// By chance.
    Random,
    /// Every combination of values.
    Grid,
    /// Where good trials are dense and bad ones are not (Bergstra et al., NeurIPS 2011).
    #[default]
    Tpe,
    /// By chance, with few epochs; the best go on with more (Jamieson & Talwalkar, AISTATS 2016). A trial that goes on is trained
    /// anew, as if it had had its epochs from the start.
    Halving,
}

/// What a setting may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum SweepRange {
    /// One of these.
    Values {
        /// The values, whole tables among them.
        #[schemars(with = "Vec<serde_json::Value>")]
        values: Vec<toml::Value>,
    },
    /// A number between two others, both included.
    Between {
        /// The lower end.
        low: f64,
        /// The upper end.
        high: f64,
        /// Whether it is drawn evenly on a logarithmic scale.
        #[serde(default)]
        log: bool,
        /// Whether it is a whole number.
        #[serde(default)]
        integer: bool,
    },
}

fn one() -> usize {
    1
}

fn one_seed() -> u64 {
    1
}

fn five() -> usize {
    5
}

fn three() -> usize {
    3
}

/// Combinations of a grid at most.
const MOST: usize = 100_000;

impl SweepConfig {
    /// How many settings are tried.
    pub fn count(&self) -> usize {
        let combinations = self.space.values().map(SweepRange::count).fold(1usize, |a, b| a.saturating_mul(b));
        match self.method {
            SweepMethod::Grid => combinations,
            _ => self.trials.unwrap_or(20),
        }
    }

    /// Refuses settings that cannot work.
    pub(crate) fn check(&self, epochs: usize) -> Result<(), TrainError> {
        let refused = |key: &str, problem: &str| Err(bad(format!("sweep.{key}"), problem));
        for (key, range) in &self.space {
            range.check(&format!("sweep.space.{key}"), self.method)?;
            let own = ["run.seed", "train.epochs"];
            if self.repeats > 1 && key == own[0] {
                return refused("repeats", "changes run.seed, which the space has too; remove one");
            }
            if self.method == SweepMethod::Halving && key == own[1] {
                return refused("method", "halving changes train.epochs, which the space has too; remove it there");
            }
            let part = key.split('.').next().unwrap_or("");
            if matches!(part, "sweep" | "backend" | "schedule") || (part == "run" && key != own[0]) {
                return refused(
                    "space",
                    &format!("has `{key}`, which is not of what is learned; give it to all trials"),
                );
            }
        }
        match self {
            _ if self.space.is_empty() => refused("space", "is empty; name a setting and what it may be"),
            _ if self.method == SweepMethod::Grid && self.count() > MOST => {
                refused("space", "has more than 100000 combinations; take method = \"random\"")
            }
            _ if self.method == SweepMethod::Grid && self.trials.is_some() => {
                refused("trials", "goes with the other methods: a grid tries all; remove it")
            }
            _ if self.method != SweepMethod::Grid && self.count() > MOST => refused("trials", "must be at most 100000"),
            _ if self.first != five() && self.method != SweepMethod::Tpe => {
                refused("first", "goes with method = \"tpe\"; remove it")
            }
            _ if self.factor != three() && self.method != SweepMethod::Halving => {
                refused("factor", "goes with method = \"halving\"; remove it")
            }
            _ if self.method == SweepMethod::Halving && self.factor >= 2 && self.count() < self.factor => {
                refused("trials", "must be at least factor, so that some are left behind")
            }
            _ if self.trials == Some(0) => refused("trials", "must be at least 1"),
            _ if self.repeats == 0 => refused("repeats", "must be at least 1"),
            _ if self.first == 0 => refused("first", "must be at least 1"),
            _ if self.factor < 2 => refused("factor", "must be at least 2"),
            _ if self.method == SweepMethod::Halving && epochs < self.factor => {
                refused("method", "halving begins with a part of train.epochs, which are fewer than factor; raise them")
            }
            _ => Ok(()),
        }
    }
}

impl SweepRange {
    fn count(&self) -> usize {
        match self {
            Self::Values { values } => values.len(),
            Self::Between { .. } => usize::MAX,
        }
    }

    fn check(&self, key: &str, method: SweepMethod) -> Result<(), TrainError> {
        match self {
            Self::Values { values } if values.is_empty() => Err(bad(key, "has no values")),
            Self::Values { .. } => Ok(()),
            Self::Between { .. } if method == SweepMethod::Grid => {
                Err(bad(key, "is a range, and a grid needs values = […]"))
            }
            Self::Between { low, high, .. } if !(low.is_finite() && high.is_finite() && low < high) => {
                Err(bad(key, "needs numbers low below high"))
            }
            Self::Between { low, high, .. } if !(high - low).is_finite() => Err(bad(key, "is too wide")),
            Self::Between { low, high, integer: true, .. } if low.fract() != 0.0 || high.fract() != 0.0 => {
                Err(bad(key, "is of whole numbers; give whole ones for low and high"))
            }
            Self::Between { low, log: true, .. } if *low <= 0.0 => Err(bad(key, "needs low above 0 with log = true")),
            Self::Between { .. } => Ok(()),
        }
    }
}
