//! Sparse optimisers: their settings; their steps are in `rules.rs`.
//!
//! SGD · Adagrad (Duchi et al. 2011) · row-wise Adagrad (one accumulator a row) · lazy Adam (moments of
//! untouched rows rest; t is the global step) · FTRL-Proximal (McMahan et al., KDD 2013, Algorithm 1) ·
//! FOBOS (Duchi & Singer 2009) with per-coordinate rates and the shrinkage of skipped steps applied when a
//! row is next touched · RDA (Xiao 2010), centred at the row's first value.
//!
//! The loss is a mean over the batch. FTRL, FOBOS and RDA are online methods: they get the gradient of the
//! sum, so that their strengths mean the same at every batch size.

mod rules;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::EmbeddingError;

/// The settings of a sparse optimiser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SparseOptimizer {
    /// The update rule.
    #[serde(default = "adam")]
    pub kind: SparseRule,
    /// Learning rate η; FTRL's α; RDA's 1/γ.
    #[serde(default = "default_rate")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f32,
    /// Adam's decay of the first moment.
    #[serde(default = "beta_1")]
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta_1: f32,
    /// Adam's decay of the second moment.
    #[serde(default = "beta_2")]
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta_2: f32,
    /// Added to the root in Adagrad and Adam.
    #[serde(default = "epsilon")]
    #[schemars(range(min = 0))]
    pub epsilon: f32,
    /// FTRL's and FOBOS's β: the rate of a coordinate is η / (β + √Σg²).
    #[serde(default = "ftrl_beta")]
    #[schemars(range(min = 0))]
    pub beta: f32,
    /// Adagrad: where accumulators start.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub initial_accumulator: f32,
    /// L1 strength: exact in FTRL, FOBOS and RDA, a subgradient elsewhere.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub l1: f32,
    /// Group strength (ℓ2,1) of a row's weights together, at the rate of their mean accumulator; FOBOS alone has it.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub l21: f32,
    /// L2 strength on touched rows, once per row and batch.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub l2: f32,
    /// Mini-batch-aware L2 (DIN, KDD 2018): divided by the number of training rows that hold the id.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub mba_l2: f32,
}

fn adam() -> SparseRule {
    SparseRule::Adam
}
fn default_rate() -> f32 {
    2e-3
}
fn beta_1() -> f32 {
    0.9
}
fn beta_2() -> f32 {
    0.999
}
fn epsilon() -> f32 {
    1e-8
}
fn ftrl_beta() -> f32 {
    1.0
}

/// An update rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SparseRule {
    /// `w -= η g`
    Sgd,
    /// `G += g²; w -= η g / (√G + ε)` (Duchi et al., JMLR 2011)
    Adagrad,
    /// `G += mean(g²); w -= η g / (√G + ε)`, one G a row
    RowwiseAdagrad,
    /// Adam on touched rows (Kingma & Ba, ICLR 2015)
    Adam,
    /// FTRL-Proximal: rates of each coordinate, L1 that leaves exact zeros (McMahan et al., KDD 2013)
    Ftrl,
    /// Forward-backward splitting: a step, then the penalty as a step of its own (Duchi & Singer, JMLR 2009)
    Fobos,
    /// Regularised dual averaging: the mean of all gradients against the penalty (Xiao, JMLR 2010)
    Rda,
}

impl SparseRule {
    /// All rules.
    pub const ALL: [Self; 7] =
        [Self::Sgd, Self::Adagrad, Self::RowwiseAdagrad, Self::Adam, Self::Ftrl, Self::Fobos, Self::Rda];
}

impl Default for SparseOptimizer {
    fn default() -> Self {
        Self::new(SparseRule::Adam, default_rate())
    }
}

/// What a step needs besides the row.
pub(crate) struct StepContext {
    /// Steps taken, this one included: from 1.
    pub step: u64,
    /// Factor of the learning rate, from its schedule.
    pub rate: f32,
    /// Rows of the batch.
    pub rows: f32,
    /// Adam's `√(1 - β₂^t) / (1 - β₁^t)`, the same for all rows of a step.
    pub correction: f32,
}

impl SparseOptimizer {
    /// A rule with its usual settings.
    pub fn new(kind: SparseRule, learning_rate: f32) -> Self {
        Self {
            kind,
            learning_rate,
            beta_1: beta_1(),
            beta_2: beta_2(),
            epsilon: epsilon(),
            beta: ftrl_beta(),
            initial_accumulator: 0.0,
            l1: 0.0,
            l21: 0.0,
            l2: 0.0,
            mba_l2: 0.0,
        }
    }

    /// Refuses settings that cannot work; `key` is where the optimiser stands in the config.
    ///
    /// # Errors
    /// [`EmbeddingError::Setting`] naming the key.
    pub fn check(&self, key: &str) -> Result<(), EmbeddingError> {
        let bad = |name: &str, problem: &str| {
            Err(EmbeddingError::Setting { key: format!("{key}.{name}"), problem: problem.to_string() })
        };
        let at_least_zero = [
            ("l1", self.l1),
            ("l21", self.l21),
            ("l2", self.l2),
            ("mba_l2", self.mba_l2),
            ("initial_accumulator", self.initial_accumulator),
            ("epsilon", self.epsilon),
            ("beta", self.beta),
        ];
        if let Some((name, _)) = at_least_zero.iter().find(|(_, v)| !(*v >= 0.0 && v.is_finite())) {
            return bad(name, "must be a number of at least 0");
        }
        match self {
            _ if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) => {
                bad("learning_rate", "must be above 0")
            }
            _ if !(0.0..1.0).contains(&self.beta_1) => bad("beta_1", "must lie in 0..1, 1 excluded"),
            _ if !(0.0..1.0).contains(&self.beta_2) => bad("beta_2", "must lie in 0..1, 1 excluded"),
            _ if self.epsilon == 0.0 && self.divides_by_a_root() && self.initial_accumulator == 0.0 => {
                bad("epsilon", "must be above 0: a weight without a gradient would be 0 / 0")
            }
            _ if self.kind == SparseRule::Ftrl && self.beta == 0.0 && self.l2 == 0.0 => {
                bad("beta", "must be above 0 with FTRL unless l2 is")
            }
            _ => self.refuse_strays(key),
        }
    }

    /// Whether rates are divided by a root of squared gradients and `epsilon`.
    fn divides_by_a_root(&self) -> bool {
        matches!(self.kind, SparseRule::Adam | SparseRule::Adagrad | SparseRule::RowwiseAdagrad)
    }

    /// Settings that the rule does not use would be silently ignored.
    fn refuse_strays(&self, key: &str) -> Result<(), EmbeddingError> {
        use SparseRule::{Adagrad, Adam, Fobos, Ftrl, RowwiseAdagrad};
        let usual = Self::new(self.kind, self.learning_rate);
        let set = [
            ("beta_1", self.beta_1 != usual.beta_1, &[Adam][..]),
            ("beta_2", self.beta_2 != usual.beta_2, &[Adam]),
            ("epsilon", self.epsilon != usual.epsilon, &[Adam, Adagrad, RowwiseAdagrad]),
            ("beta", self.beta != usual.beta, &[Ftrl, Fobos]),
            ("l21", self.l21 != 0.0, &[Fobos]),
            ("initial_accumulator", self.initial_accumulator != 0.0, &[Adagrad, RowwiseAdagrad]),
        ];
        match set.iter().find(|(_, set, rules)| *set && !rules.contains(&self.kind)) {
            Some((name, ..)) => Err(EmbeddingError::Setting {
                key: format!("{key}.{name}"),
                problem: "has no meaning for this kind of optimiser; remove it".into(),
            }),
            None => Ok(()),
        }
    }

    /// Floats of state a row of this width has.
    pub fn state_floats(&self, dim: usize) -> usize {
        match self.kind {
            SparseRule::Sgd => 0,
            SparseRule::Adagrad | SparseRule::Fobos => dim,
            SparseRule::RowwiseAdagrad => 1,
            SparseRule::Adam | SparseRule::Ftrl | SparseRule::Rda => 2 * dim,
        }
    }
}
