//! The settings of an agent: `[agent]` for all, `[agents.NAME]` for one.

mod explore;
mod learn;

use burnrec_models::{ModelConfig, registered};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::activeness::ActivenessConfig;
use crate::error::{RlError, bad};
use crate::memory::MemoryConfig;
pub use explore::{ExploreConfig, ExploreKind};
pub use learn::{LearnConfig, MajorKind, MinorKind};

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
