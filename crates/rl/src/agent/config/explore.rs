//! How an agent explores: `[agents.NAME.explore]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an agent explores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExploreKind {
    /// Not at all.
    #[default]
    None,
    /// Each place is given to a candidate at random with probability ε.
    EpsilonGreedy,
    /// Candidates are drawn by the softmax of their scores.
    Boltzmann,
    /// Dueling bandit gradient descent: a network beside the agent's, interleaved with it.
    Dbgd,
    /// Evolution strategies (Salimans et al. 2017): each reader is served by one of several networks for a while.
    Es,
    /// Several networks beside the agent's, multileaved; those that earn less than it are dropped, and new ones added.
    Population,
    /// Thompson sampling of the last layer's weights.
    ThompsonLastLayer,
}

/// Exploration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExploreConfig {
    /// How the agent explores.
    pub kind: ExploreKind,
    /// ε-greedy: the probability, 0..=1.
    pub epsilon: f64,
    /// Boltzmann: scores are divided by it; above 0.
    pub temperature: f64,
    /// DBGD, population: how far the other networks are, α.
    pub alpha: f64,
    /// DBGD, population: how far the agent's goes towards one that won, η.
    pub eta: f64,
    /// DBGD, population: normal noise of this deviation beside it, which moves weights that are 0, too.
    pub additive: f64,
    /// DBGD: `W ← W + η·W̃` as the paper prints it, and not `W + η·ΔW`: it lengthens all weights by η at each win.
    pub literal: bool,
    /// ES: pairs of networks; population: networks.
    pub members: usize,
    /// ES: the deviation of the noise.
    pub sigma: f64,
    /// ES: the rate of its steps.
    pub rate: f64,
    /// ES: the pull of weights towards 0.
    pub l2: f64,
    /// Interleaving: how much rankings prefer their first candidates, τ.
    pub tau: f64,
    /// Interleaving by team draft, and not by probabilities.
    pub team_draft: bool,
    /// LinUCB: what an uncertainty is worth; Thompson: the deviation, times that of the regression.
    pub confidence: f64,
    /// LinUCB, Thompson: ridge λ; above 0.
    pub ridge: f64,
    /// LinUCB, Thompson: inputs that ids are hashed to.
    pub buckets: usize,
    /// What the score of a new item is raised by; it fades with its age.
    pub fresh_bonus: f64,
    /// Hours in which it falls to a third.
    pub fresh_hours: f64,
    /// Column of an item's age in hours, for the bonus.
    pub fresh_column: String,
}

impl Default for ExploreConfig {
    fn default() -> Self {
        Self {
            kind: ExploreKind::None,
            epsilon: 0.1,
            temperature: 0.05,
            alpha: 0.1,
            eta: 0.05,
            additive: 0.0,
            literal: false,
            members: 4,
            sigma: 0.02,
            rate: 0.01,
            l2: 0.005,
            tau: 3.0,
            team_draft: false,
            confidence: 0.1,
            ridge: 1.0,
            buckets: 64,
            fresh_bonus: 0.0,
            fresh_hours: 1.0,
            fresh_column: "age_hours".into(),
        }
    }
}
