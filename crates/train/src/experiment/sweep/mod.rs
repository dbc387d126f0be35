//! `[sweep]`: which settings are tried out, and how.

mod range;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{TrainError, bad};

pub use range::{SweepCase, SweepRange};

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
    /// Tpe: random trials before its model chooses.
    #[serde(default = "five")]
    pub first: usize,
    /// Halving: one in this many trials advances, with this many times the epochs.
    #[serde(default = "three")]
    pub factor: usize,
    /// More metrics to show beside each trial, as `test.auc` or `test.click.auc`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub show: Vec<String>,
    /// Two metrics, as `valid.click.auc`; the trials that no other beats in both are its Pareto front.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pareto: Option<[String; 2]>,
    /// Grid: cases that the others are compared with, by name. Each metric that is shown has its difference to that of the first of
    /// them that has it, seed by seed, beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<String>,
    /// Settings by their keys: `"train.learning_rate" = { low = 1e-4, high = 1e-1, log = true }`,
    /// `"model.deepfm.embedding_dim" = { values = [8, 16, 32] }`; or, under any name, cases that change several settings at once.
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
    /// By chance, with few epochs; the best go on with more (Jamieson & Talwalkar, AISTATS 2016). A trial that advances is
    /// trained again from the start.
    Halving,
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

    /// The keys of the settings that trials change.
    pub fn changed(&self) -> impl Iterator<Item = &str> {
        self.space.iter().flat_map(|(key, range)| range.changes(key))
    }

    /// Two keys of different coordinates that are one, or one within the other.
    fn twice(&self) -> Option<(&str, &str)> {
        let below = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let keys: Vec<Vec<&str>> = self.space.iter().map(|(key, range)| range.changes(key)).collect();
        keys.iter().enumerate().find_map(|(at, own)| {
            let mut others = keys[..at].iter().flatten();
            others.find_map(|a| own.iter().find(|b| below(a, b) || below(b, a)).map(|b| (*a, *b)))
        })
    }

    fn check_against(&self) -> Result<(), TrainError> {
        let refused = |problem: String| Err(bad("sweep.against", problem));
        let mut names: Vec<&str> = self.space.values().flat_map(SweepRange::cases).map(|c| c.name.as_str()).collect();
        if let Some(name) = self.against.iter().find(|name| !names.contains(&name.as_str())) {
            return refused(format!("names `{name}`, and the cases of the space are: {}", names.join(", ")));
        }
        if !self.against.is_empty() && self.method != SweepMethod::Grid {
            return refused("compares every point of a grid; set method = \"grid\"".into());
        }
        if !self.against.is_empty() && self.show.is_empty() {
            return refused("compares the metrics that sweep.show names; name some".into());
        }
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(bad("sweep.space", format!("has two cases of the name `{}`", pair[0]))),
            None => Ok(()),
        }
    }

    /// Refuses settings that cannot work.
    pub(crate) fn check(&self, epochs: usize) -> Result<(), TrainError> {
        let refused = |key: &str, problem: &str| Err(bad(format!("sweep.{key}"), problem));
        for (key, range) in &self.space {
            range.check(&format!("sweep.space.{key}"), self.method)?;
        }
        for key in self.changed() {
            let own = ["run.seed", "train.epochs"];
            if self.repeats > 1 && key == own[0] {
                return refused("repeats", "changes run.seed, which the space has too; remove one");
            }
            if self.method == SweepMethod::Halving && key == own[1] {
                return refused("method", "halving changes train.epochs, which the space has too; remove it there");
            }
            let part = key.split('.').next().unwrap_or("");
            if matches!(part, "sweep" | "backend" | "schedule") || (part == "run" && key != own[0]) {
                let problem = format!("has `{key}`, which is not of what is learned; give it to all trials");
                return refused("space", &problem);
            }
            if key == "train" {
                return refused("space", "has all of `train`, which would lose the rest; name settings: \"train.l2\"");
            }
        }
        self.check_against()?;
        if let Some((a, b)) = self.twice() {
            return refused("space", &format!("changes `{a}` in one place and `{b}` in another; keep one"));
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
