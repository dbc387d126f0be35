//! The settings of an agent: `[agent]` for all, `[agents.NAME]` for one.

use burnrec_models::{ModelConfig, registered};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::activeness::ActivenessConfig;
use crate::error::{RlError, bad};
use crate::memory::MemoryConfig;

/// What chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// A model: by default DRN's.
    #[default]
    Network,
    /// Chance.
    Random,
    /// The items of the highest click rate so far.
    Popularity,
    /// A linear bandit that adds its confidence (Li et al. 2010), one regression for all items.
    LinUcb,
    /// The same, by weights drawn from what it believes.
    Thompson,
    /// What nobody can do: by the true probabilities of a simulation. It is what regret is counted from.
    Oracle,
}

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
    /// How.
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

/// How feedback becomes a small change soon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MinorKind {
    /// By what exploration found: duels are decided, generations end.
    #[default]
    Explore,
    /// By gradients on the feedback since the last time.
    Sgd,
    /// Not at all.
    None,
}

/// How an agent learns thoroughly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MajorKind {
    /// By gradients on draws of the memory.
    #[default]
    Replay,
    /// By one pass over what came since the last time.
    Pass,
    /// Not at all.
    None,
}

/// When and how an agent learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LearnConfig {
    /// Small changes.
    pub minor: MinorKind,
    /// Minutes between them, T_D.
    pub minor_minutes: f64,
    /// Thorough ones.
    pub major: MajorKind,
    /// Minutes between them, T_R.
    pub major_minutes: f64,
    /// Steps of a thorough one by replay.
    pub steps: usize,
    /// Requests of a step.
    pub requests: usize,
    /// Steps after which the target network is set to the agent's.
    pub target_every: u64,
    /// The target network follows the agent's by this share at every step instead, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_share: Option<f64>,
    /// Huber's loss in the place of the squared error.
    pub huber: bool,
    /// A factor of the learning rates of `[train]`.
    pub rate: f64,
}

impl Default for LearnConfig {
    fn default() -> Self {
        Self {
            minor: MinorKind::Explore,
            minor_minutes: 30.0,
            major: MajorKind::Replay,
            major_minutes: 60.0,
            steps: 40,
            requests: 64,
            target_every: 100,
            target_share: None,
            huber: false,
            rate: 1.0,
        }
    }
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AgentConfig {
    /// What chooses.
    pub policy: PolicyKind,
    /// Network: the model. Any but DRN's learns clicks alone, without looking ahead.
    pub model: Option<ModelConfig>,
    /// How much the next list counts, γ, 0..1.
    pub gamma: f64,
    /// Whether advantages are about their mean over the candidates of a request, and not as they are.
    pub centred: bool,
    /// What users' activeness is worth.
    pub activeness: ActivenessConfig,
    /// Exploration.
    pub explore: ExploreConfig,
    /// Learning.
    pub learn: LearnConfig,
    /// Replay memory.
    pub memory: MemoryConfig,
    /// Minutes in which feedback of a list is awaited; what comes later is passed over.
    pub wait_minutes: f64,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            policy: PolicyKind::Network,
            model: None,
            gamma: 0.4,
            centred: false,
            activeness: ActivenessConfig::default(),
            explore: ExploreConfig::default(),
            learn: LearnConfig::default(),
            memory: MemoryConfig::default(),
            wait_minutes: 60.0,
        }
    }
}

impl AgentConfig {
    /// The model of a network.
    pub fn model(&self) -> ModelConfig {
        let usual = || registered().into_iter().find(|info| info.reads.looks_ahead).map(|info| info.default);
        match self.model.clone().or_else(usual) {
            Some(model) => model,
            None => unreachable!("there is a model that looks ahead"),
        }
    }

    /// Whether its model learns what lists are worth in the end.
    pub fn looks_ahead(&self) -> bool {
        self.policy == PolicyKind::Network && self.model().reads().looks_ahead
    }

    /// Refuses settings that cannot work; `key` is the agent's own.
    ///
    /// # Errors
    /// [`RlError::Setting`] naming the key.
    pub fn check(&self, key: &str) -> Result<(), RlError> {
        let refused = |name: &str, problem: &str| Err(bad(format!("{key}.{name}"), problem));
        let (e, l) = (&self.explore, &self.learn);
        self.activeness.check(&format!("{key}.activeness"))?;
        self.memory.check(&format!("{key}.memory"))?;
        let at_least_0 = [
            ("explore.alpha", e.alpha),
            ("explore.eta", e.eta),
            ("explore.additive", e.additive),
            ("explore.rate", e.rate),
            ("explore.l2", e.l2),
            ("explore.confidence", e.confidence),
            ("explore.fresh_bonus", e.fresh_bonus),
            ("learn.rate", l.rate),
        ];
        let above_0 = [
            ("explore.temperature", e.temperature),
            ("explore.sigma", e.sigma),
            ("explore.tau", e.tau),
            ("explore.ridge", e.ridge),
            ("explore.fresh_hours", e.fresh_hours),
            ("learn.minor_minutes", l.minor_minutes),
            ("learn.major_minutes", l.major_minutes),
            ("wait_minutes", self.wait_minutes),
        ];
        if let Some((name, _)) = at_least_0.iter().find(|(_, x)| !(*x >= 0.0 && x.is_finite())) {
            return refused(name, "must be at least 0");
        }
        if let Some((name, _)) = above_0.iter().find(|(_, x)| !(*x > 0.0 && x.is_finite())) {
            return refused(name, "must be above 0");
        }
        // Beyond these weights leave what 32 bits can hold, and rankings what 64 can.
        let most = [
            ("explore.alpha", e.alpha, 10.0),
            ("explore.eta", e.eta, 10.0),
            ("explore.additive", e.additive, 10.0),
            ("explore.sigma", e.sigma, 10.0),
            ("explore.rate", e.rate, 1_000.0),
            ("explore.confidence", e.confidence, 1e6),
            ("explore.fresh_bonus", e.fresh_bonus, 1e6),
            ("explore.tau", e.tau, 50.0),
            ("learn.rate", l.rate, 1_000.0),
        ];
        if let Some((name, _, most)) = most.iter().find(|(_, x, most)| x > most) {
            return refused(name, &format!("must be at most {most}"));
        }
        let by_noise = matches!(e.kind, ExploreKind::Dbgd | ExploreKind::Es | ExploreKind::Population);
        match () {
            () if by_noise && l.minor != MinorKind::Explore => refused(
                "learn.minor",
                "must be \"explore\" with networks beside the agent's: it is where their clicks decide; or take another explore.kind",
            ),
            () if e.kind == ExploreKind::ThompsonLastLayer && l.major == MajorKind::None => {
                refused("learn.major", "is where thompson_last_layer learns the last weights; take replay or pass")
            }
            () if e.fresh_bonus > 0.0
                && (self.policy != PolicyKind::Network || e.kind == ExploreKind::ThompsonLastLayer) =>
            {
                refused(
                    "explore.fresh_bonus",
                    "raises the scores of networks, and this agent goes by others; remove it",
                )
            }
            () if l.huber && !self.looks_ahead() && self.policy == PolicyKind::Network => refused(
                "learn.huber",
                "is a loss of what lists are worth, and this model learns clicks; set it to false",
            ),
            () if !(0.0..1.0).contains(&self.gamma) => refused("gamma", "must lie in 0..1, 1 excluded"),
            () if !(0.0..=1.0).contains(&e.epsilon) => refused("explore.epsilon", "must lie in 0..=1"),
            () if !(1..=256).contains(&e.members) => refused("explore.members", "must lie in 1..=256"),
            () if e.buckets > 1_024 => {
                refused("explore.buckets", "must be at most 1024: the regression's matrix is its square")
            }
            () if !(1..=65_536).contains(&l.requests) => refused("learn.requests", "must lie in 1..=65536"),
            () if l.steps > 1_000_000 => refused("learn.steps", "must be at most 1000000"),
            () if l.target_every == 0 => refused("learn.target_every", "must be at least 1"),
            () if l.target_share.is_some_and(|share| !(0.0..=1.0).contains(&share)) => {
                refused("learn.target_share", "must lie in 0..=1")
            }
            () if self.policy != PolicyKind::Network && self.model.is_some() => {
                refused("model", "goes with policy = \"network\"; remove one")
            }
            () if self.policy != PolicyKind::Network && e.kind != ExploreKind::None => {
                refused("explore.kind", "goes with policy = \"network\"; remove one")
            }
            () if self.centred && !self.looks_ahead() => {
                refused("centred", "goes with model drn, which has advantages")
            }
            () if e.kind == ExploreKind::ThompsonLastLayer && !self.looks_ahead() => {
                refused("explore.kind", "thompson_last_layer goes with model drn, whose last layer it knows")
            }
            () => Ok(()),
        }
    }
}
