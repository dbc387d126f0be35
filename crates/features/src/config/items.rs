//! `[features.items]`, `[features.negatives]` and `[features.pairs]`: what an item is, and how others are drawn.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{FeatureError, bad};

/// Which fields are of the item, and who the user is. With this the training rows give a catalogue of items: negatives
/// are drawn from it, recommendations are made of it, its vectors can be exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemsConfig {
    /// The field of the item's id, of one id a row.
    pub id: String,
    /// Column of the user's id; what a user is known to like is never drawn as a negative.
    pub user: String,
    /// Fields that describe the item, the same wherever it stands: its category, its price.
    #[serde(default)]
    pub fields: Vec<String>,
    /// The task whose label above 0 means that the user liked the item; the first task when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liked: Option<String>,
    /// Column of the time, which orders what a user did; the order of the rows when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Models that give no vector of users: a user is the mean of the latest this many items that the user liked.
    #[serde(default = "fifty")]
    pub latest: usize,
    /// Models that give no vector of users: what each of those items weighs for the one after it, above 0 and at most 1.
    #[serde(default = "one")]
    pub decay: f64,
}

fn fifty() -> usize {
    50
}

fn one() -> f64 {
    1.0
}

/// How items are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SamplerKind {
    /// Every item alike.
    #[default]
    Uniform,
    /// By training rows to the power `power`.
    Popularity,
    /// `(ln(k+2) - ln(k+1)) / ln(N+1)` for the k-th most frequent item, from 0.
    LogUniform,
    /// The items of other rows read at the same time; with `loss = "sampled_softmax"` all others of the batch.
    InBatch,
}

impl SamplerKind {
    /// The name in configs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Popularity => "popularity",
            Self::LogUniform => "log_uniform",
            Self::InBatch => "in_batch",
        }
    }
}

/// Negatives of the training rows, drawn anew every epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NegativesConfig {
    /// Negatives for each positive row. They are rows of their own, label 0, of items that the training rows do not say the
    /// user likes; for a loss over lists each positive row and its negatives are one list, whatever `group` is. With
    /// `[features.pairs]` they stand beside the pair, and are neither of its two items.
    pub per_positive: usize,
    /// Items drawn for a whole batch, for `loss = "sampled_softmax"`. For each row those that its user is known to like are
    /// left out.
    pub shared: usize,
    /// How items are drawn, from those that training rows have.
    pub sampler: SamplerKind,
    /// Sampler popularity: the power of the training rows; 0.75 is word2vec's, 1 draws as often as items occur.
    pub power: f64,
    /// In valid and test: every positive row is ranked among this many items that its user is not known to like, drawn
    /// once and uniformly. Rows of label 0 are left out then, and `group` is the list.
    pub evaluate: usize,
}

impl Default for NegativesConfig {
    fn default() -> Self {
        Self { per_positive: 0, shared: 0, sampler: SamplerKind::default(), power: 0.75, evaluate: 0 }
    }
}

/// Pairs of items to learn from, instead of rows: items near each other in what a user liked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PairsConfig {
    /// Largest distance of a pair.
    pub window: usize,
    /// Whether what a user liked is a set: shuffled every epoch, so that any two items of it can be a pair.
    pub shuffle: bool,
    /// Occurrences of an item of frequency f are left out with probability `1 - sqrt(subsample / f)` (Mikolov et al., 2013).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subsample: Option<f64>,
    /// A gap of this many seconds (or units of `features.items.time`) ends a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_gap: Option<f64>,
    /// Items of a random walk over the graph of transitions within sessions; the sessions themselves when 0.
    pub walk_length: usize,
    /// Random walks that start at each item in an epoch (Wang et al., KDD 2018).
    pub walks: usize,
}

impl Default for PairsConfig {
    fn default() -> Self {
        Self { window: 5, shuffle: false, subsample: None, session_gap: None, walk_length: 0, walks: 20 }
    }
}

impl NegativesConfig {
    /// Refuses settings that cannot work.
    pub(crate) fn check(&self, with_pairs: bool) -> Result<(), FeatureError> {
        let bad = |key: &str, problem: &str| Err(bad(format!("features.negatives.{key}"), problem));
        let in_batch = self.sampler == SamplerKind::InBatch;
        match self {
            _ if self.per_positive > 1000 => bad("per_positive", "must be at most 1000"),
            _ if self.shared > 1 << 20 => bad("shared", "must be at most 1048576"),
            _ if self.evaluate > 100_000 => bad("evaluate", "must be at most 100000"),
            _ if self.per_positive > 0 && self.shared > 0 => {
                bad("shared", "goes without per_positive: negatives are of a row, or of the batch")
            }
            _ if in_batch && self.shared > 0 => {
                bad("shared", "has no meaning for sampler = \"in_batch\", which takes what the batch has; remove it")
            }
            _ if in_batch && with_pairs => {
                bad("sampler", "in_batch goes with rows; use popularity or uniform with features.pairs")
            }
            _ if !(self.power >= 0.0 && self.power <= 10.0) => bad("power", "must lie in 0..=10"),
            _ if self.power != 0.75 && self.sampler != SamplerKind::Popularity => {
                bad("power", "goes with sampler = \"popularity\"; remove it")
            }
            _ if with_pairs && self.evaluate > 0 => bad(
                "evaluate",
                "ranks rows, and a model of pairs scores none; remove it: items are looked for among all",
            ),
            _ if self.per_positive == 0 && self.shared == 0 && self.evaluate == 0 && !in_batch => {
                bad("per_positive", "and shared and evaluate are all 0, so that nothing is drawn; set one of them")
            }
            _ if with_pairs && self.per_positive == 0 => {
                bad("per_positive", "must be at least 1 with features.pairs: pairs alone teach nothing")
            }
            _ => Ok(()),
        }
    }
}

impl PairsConfig {
    /// Refuses settings that cannot work.
    pub(crate) fn check(&self, has_time: bool) -> Result<(), FeatureError> {
        let bad = |key: &str, problem: &str| Err(bad(format!("features.pairs.{key}"), problem));
        let positive = |x: Option<f64>| x.is_none_or(|x| x > 0.0 && x.is_finite());
        match self {
            _ if !(1..=10_000).contains(&self.window) => bad("window", "must lie in 1..=10000"),
            _ if !positive(self.subsample) => bad("subsample", "must be above 0"),
            _ if !positive(self.session_gap) => bad("session_gap", "must be above 0"),
            _ if self.session_gap.is_some() && !has_time => {
                bad("session_gap", "needs the time; set features.items.time")
            }
            _ if self.walk_length == 1 || self.walk_length > 10_000 => {
                bad("walk_length", "must be 0, for no walks, or lie in 2..=10000")
            }
            _ if self.walk_length > 0 && !(1..=10_000).contains(&self.walks) => bad("walks", "must lie in 1..=10000"),
            _ if self.walk_length == 0 && self.walks != 20 => bad("walks", "goes with walk_length; remove it"),
            _ if self.walk_length > 0 && self.shuffle => {
                bad("shuffle", "has no meaning with walks, which go from item to item; remove it")
            }
            _ => Ok(()),
        }
    }
}
