//! What an evaluation reads: the `[ope]` table.

use burnrec_data::DataConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{RlError, bad};

/// A file of `burnrec ope`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpeFile {
    /// Where the log is.
    pub data: DataConfig,
    /// What its columns are, and which policy is evaluated.
    pub ope: OpeConfig,
}

/// A log and the policy that is evaluated on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpeConfig {
    /// Column of the action that was taken.
    pub action: String,
    /// Column of what it earned.
    pub reward: String,
    /// Column of how probable it was when it was chosen: above 0, at most 1. There is no default: propensities that were not
    /// logged cannot be made up later.
    pub propensity: String,
    /// Column of the place of a list, or of whatever else the policy's table and the means of rewards are apart for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// Column of the slate that rows are places of, the first place first: adds the estimators of slates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slate: Option<String>,
    /// Column of what describes the action, such as its category: adds MIPS, by the mean weight of rows with the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<String>,
    /// The policy that is evaluated: one of its settings.
    pub policy: PolicyConfig,
    /// A model of rewards: adds DM, DR and switch-DR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<RewardConfig>,
    /// Weights above this are cut in clipped IPS.
    #[serde(default = "ten")]
    pub clip: f64,
    /// Weights above this leave switch-DR to the model.
    #[serde(default = "ten")]
    pub switch: f64,
    /// Resamples of the intervals.
    #[serde(default = "thousand")]
    pub resamples: usize,
    /// Their seed.
    #[serde(default)]
    pub seed: u64,
}

fn ten() -> f64 {
    10.0
}

fn thousand() -> usize {
    1_000
}

/// What a policy does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// All actions of the log alike.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub uniform: bool,
    /// Column of how probable the row's own action is. Without all others no model of rewards can be used but one that says
    /// `policy` itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Column of lists: how probable every action is, in the order of whole numbers from 0 that actions are then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// A table of how probable every action is for whoever asks: columns of the action, of the position where there is one,
    /// and `probability`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

/// A model of rewards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RewardConfig {
    /// The mean of each action (and position), with so many rows of the overall mean added; each row by the means of the other
    /// folds. Without columns this is the model, with 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub means: Option<f64>,
    /// Column of r̂ of the row's own action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logged: Option<String>,
    /// Column of `Σ_a π(a|x) r̂(x, a)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Column of lists: r̂ of every action, in the order of `policy.distribution`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewards: Option<String>,
}

impl OpeConfig {
    /// Refuses settings that cannot go together.
    ///
    /// # Errors
    /// [`RlError::Setting`] naming the key.
    pub fn check(&self) -> Result<(), RlError> {
        let PolicyConfig { uniform, column, distribution, table } = &self.policy;
        let ways = [*uniform, column.is_some(), distribution.is_some(), table.is_some()];
        if ways.iter().filter(|way| **way).count() != 1 {
            let problem = "needs exactly one of uniform, column, distribution and table: what the policy would do";
            return Err(bad("ope.policy", problem));
        }
        if !(self.clip > 0.0 && self.switch > 0.0) {
            return Err(bad("ope.clip", "and ope.switch must be above 0"));
        }
        if !(10..=1_000_000).contains(&self.resamples) {
            return Err(bad("ope.resamples", "must lie in 10..=1000000"));
        }
        let Some(model) = &self.model else { return Ok(()) };
        match (&model.logged, &model.policy, &model.rewards, model.means) {
            (Some(_), Some(_), None, None) => Ok(()),
            (None, None, Some(_), None) if distribution.is_some() => Ok(()),
            (None, None, Some(_), None) => {
                Err(bad("ope.model.rewards", "goes with ope.policy.distribution, in whose order it is"))
            }
            (None, None, None, _) if column.is_some() => Err(bad(
                "ope.model",
                "needs to know every action's probability, and ope.policy.column tells one; give ope.model.logged and ope.model.policy, or the policy as distribution or table",
            )),
            (None, None, None, means) if means.is_none_or(|means| means >= 0.0 && means.is_finite()) => Ok(()),
            (None, None, None, _) => Err(bad("ope.model.means", "must be at least 0")),
            _ => Err(bad("ope.model", "is one of: means; logged with policy; rewards")),
        }
    }
}
