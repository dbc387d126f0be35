//! When and how an agent learns: `[agents.NAME.learn]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
