//! `[fuse]`: whose scores are joined, how, and what for.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{TrainError, bad};

/// A file of `burnrec fuse`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FuseFile {
    /// How scores are joined.
    pub fuse: FuseConfig,
}

/// How scores are joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FuseConfig {
    /// How the scores become one.
    #[serde(default)]
    pub method: FuseMethod,
    /// The score whose task's labels the joined score is judged by.
    pub target: String,
    /// The metric that it is judged by, of ranking: `auc`, `gauc`, `ndcg@K`, `hr@K`, `recall@K`, `mrr`.
    pub metric: String,
    /// Product: what is added to a score before it is raised to its power, so that 0 is not the end of all others.
    #[serde(default)]
    pub offset: f64,
    /// Rank: c of `weight / (c + rank)`.
    #[serde(default = "sixty")]
    pub rank_constant: f64,
    /// Formula: what a row is worth, of the scores' names, numbers, `+ - * / ^` and parentheses: `click * (1 + 5 * buy)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// Weights are searched for on the validation rows; they stay as given when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tune: Option<TuneConfig>,
    /// The scores, by names of their own.
    pub scores: BTreeMap<String, ScoreConfig>,
}

/// How scores become one. Those of tasks of 0 and 1 are probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FuseMethod {
    /// `Σ w p`.
    Linear,
    /// `Π (p + offset)^w`, as its logarithm: the order does not depend on the scores' scales.
    #[default]
    Product,
    /// `Π (1 + w p)`, as its logarithm: a score of 0 takes nothing away.
    Gated,
    /// `Σ w / (c + rank)`, ranks within groups.
    Rank,
    /// The formula.
    Formula,
}

/// A score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreConfig {
    /// The run folder, or a folder of runs of which the latest is meant.
    pub run: String,
    /// The task; the only one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Its weight, or power.
    #[serde(default = "one")]
    pub weight: f64,
}

/// The search for weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TuneConfig {
    /// Weights that are tried.
    pub trials: usize,
    /// Seed of what is drawn.
    pub seed: u64,
}

impl Default for TuneConfig {
    fn default() -> Self {
        Self { trials: 200, seed: 1 }
    }
}

fn one() -> f64 {
    1.0
}

fn sixty() -> f64 {
    60.0
}

impl FuseConfig {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`TrainError::Setting`] naming the key.
    pub fn check(&self) -> Result<(), TrainError> {
        let refused = |key: &str, problem: &str| Err(bad(format!("fuse.{key}"), problem));
        let by_formula = self.method == FuseMethod::Formula;
        if let Some((name, _)) = self.scores.iter().find(|(_, score)| !score.weight.is_finite()) {
            return refused(&format!("scores.{name}.weight"), "must be a number");
        }
        let begins = |name: &String| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let plain = |name: &String| begins(name) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if let Some(name) = self.scores.keys().find(|name| !plain(name)) {
            return refused(&format!("scores.{name}"), "is no plain name: letters, digits and `_`, a digit not first");
        }
        match self {
            _ if self.scores.contains_key("fused") => {
                refused("scores.fused", "is the name of what comes out; take another")
            }
            _ if self.scores.len() < 2 => refused("scores", "needs two or more; one by itself is ranked by predict"),
            _ if !self.scores.contains_key(&self.target) => refused("target", "names no score of fuse.scores"),
            _ if by_formula != self.formula.is_some() => {
                refused("formula", "goes with method = \"formula\", which needs one")
            }
            _ if by_formula && self.tune.is_some() => {
                refused("tune", "searches for weights, which a formula has none of; remove it")
            }
            _ if by_formula && self.scores.values().any(|score| score.weight != 1.0) => {
                refused("scores", "have weights, and a formula says itself what each weighs; remove them")
            }
            _ if !(self.offset >= 0.0 && self.offset.is_finite()) => refused("offset", "must be at least 0"),
            _ if self.offset > 0.0 && self.method != FuseMethod::Product => {
                refused("offset", "goes with method = \"product\"; remove it")
            }
            _ if !(self.rank_constant >= 0.0 && self.rank_constant.is_finite()) => {
                refused("rank_constant", "must be at least 0")
            }
            _ if self.rank_constant != 60.0 && self.method != FuseMethod::Rank => {
                refused("rank_constant", "goes with method = \"rank\"; remove it")
            }
            _ if self.tune.as_ref().is_some_and(|tune| tune.trials == 0) => {
                refused("tune.trials", "must be at least 1")
            }
            _ => Ok(()),
        }
    }
}
