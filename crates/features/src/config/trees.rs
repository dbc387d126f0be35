//! `[features.trees]`: trees over all fields.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{FeatureError, bad};

/// `[features.trees]`: trees over all fields, whose leaves are ids of an input of their own (He et al., ADKDD 2014).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TreesConfig {
    /// How many trees.
    pub trees: usize,
    /// Leaves of a tree, at most.
    pub leaves: usize,
    /// Splits on the way to a leaf, at most.
    pub depth: usize,
    /// Shrinkage of each tree.
    pub learning_rate: f32,
    /// Least sum of second derivatives in a leaf.
    pub min_leaf_weight: f32,
    /// L2 strength on the leaves' values.
    pub l2: f32,
    /// Share of the training rows that trees are grown on; the model learns from the others.
    pub share: f64,
    /// Rows that trees are grown on, at most (a few more by chance): they are held in memory. A larger share is cut to this.
    pub rows: usize,
}

impl Default for TreesConfig {
    fn default() -> Self {
        Self {
            trees: 100,
            leaves: 12,
            depth: 6,
            learning_rate: 0.1,
            min_leaf_weight: 1.0,
            l2: 1.0,
            share: 0.5,
            rows: 1_000_000,
        }
    }
}

impl TreesConfig {
    /// Refuses settings that cannot work.
    pub(crate) fn check(&self) -> Result<(), FeatureError> {
        let bad = |key: &str, problem: &str| Err(bad(format!("features.trees.{key}"), problem));
        match self {
            _ if !(1..=10_000).contains(&self.trees) => bad("trees", "must lie in 1..=10000"),
            _ if !(2..=65_536).contains(&self.leaves) => bad("leaves", "must lie in 2..=65536"),
            _ if !(1..=64).contains(&self.depth) => bad("depth", "must lie in 1..=64"),
            _ if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) => {
                bad("learning_rate", "must be above 0 and at most 1")
            }
            _ if !(self.min_leaf_weight >= 0.0 && self.min_leaf_weight.is_finite()) => {
                bad("min_leaf_weight", "must be at least 0")
            }
            _ if !(self.l2 >= 0.0 && self.l2.is_finite()) => bad("l2", "must be at least 0"),
            _ if !(self.share > 0.0 && self.share < 1.0) => {
                bad("share", "must lie between 0 and 1: on the same rows the leaves would tell the labels")
            }
            _ if self.rows < 100 => bad("rows", "must be at least 100"),
            _ => Ok(()),
        }
    }
}
