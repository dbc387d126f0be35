//! Gradient-boosted trees whose leaves are ids: the other half of GBDT+LR (He et al., ADKDD 2014).
//!
//! Trees are grown on a share of the training rows, and what learns from their leaves learns from the rest: on the same
//! rows the leaves would tell the labels. An id is to the trees the mean label of its training rows, taken for each row
//! from rows of another part while they are grown.

mod booster;
mod inputs;

use burnrec_data::split::Dataset;
use burnrec_data::{Side, positions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128};

use crate::batch::Keys;
use crate::encoder::{Encoder, Purpose};
use crate::error::FeatureError;
use crate::schema::bad;
use booster::Booster;
use inputs::{Inputs, Matrix};

/// Seed of the rows that trees are grown on.
const ROWS: u64 = 0x7472_6565;

/// `[features.trees]`: trees over all fields, whose leaves are ids of an input of their own.
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

/// Whether trees are grown on the row at a place, of this share of all, and not the model.
fn takes(share: f64, place: u64) -> bool {
    (xxh3_64_with_seed(&place.to_le_bytes(), ROWS) >> 11) as f64 / (1u64 << 53) as f64 <= share
}

/// What grows trees and finds leaves: the part that a library does.
pub(crate) trait Forest: Sized {
    /// Trees for labels 0 and 1.
    fn grow(config: &TreesConfig, rows: &Matrix, labels: &[f32], weights: &[f32]) -> Result<Self, String>;

    /// The leaf of each row in each tree, tree after tree, numbered within its tree.
    fn leaves(&self, rows: &Matrix) -> Vec<u32>;

    /// As text.
    fn save(&self) -> Result<String, String>;

    /// From that text.
    fn load(text: &str) -> Result<Self, String>;
}

/// Grown trees with what their inputs are made of.
pub struct Trees {
    /// The share of the training rows that they were grown on.
    share: f64,
    inputs: Inputs,
    forest: Booster,
}

impl std::fmt::Debug for Trees {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trees").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Saved {
    share: f64,
    inputs: Inputs,
    forest: String,
}

impl Trees {
    /// Grows trees on their share of the training rows.
    ///
    /// # Errors
    /// Unreadable rows, too few rows, and what the library refuses.
    pub(crate) fn fit(encoder: &Encoder, dataset: &Dataset, config: &TreesConfig) -> Result<Self, FeatureError> {
        let schema = encoder.schema();
        let share = config.share.min(config.rows as f64 / encoder.fitted().rows.max(1) as f64);
        let mut inputs = Inputs::new(schema);
        let mut rows = inputs.empty();
        let (mut labels, mut weights, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        let source = &**dataset.source(Side::Train);
        for batch in dataset.stream(Side::Train, &schema.columns(true))? {
            let batch = batch?;
            let taken = |(_, place): &(u32, &u64)| takes(share, **place);
            let places = positions(&batch);
            let own: Vec<u32> = (0..).zip(places.iter()).filter(taken).map(|(row, _)| row).collect();
            if own.is_empty() {
                continue;
            }
            let all = encoder.encode_columns(&batch, source, Purpose::Train)?;
            labels.extend(own.iter().map(|r| all.label[*r as usize]));
            let weight = |r: &u32| all.weight.get(*r as usize).copied().unwrap_or(1.0);
            weights.extend(own.iter().map(weight));
            parts.extend(own.iter().map(|r| xxh3_64_with_seed(&places[*r as usize].to_le_bytes(), ROWS + 1) & 1));
            inputs.add(&mut rows, &batch, source, schema, &all, &own)?;
        }
        let positive = labels.iter().filter(|y| **y > 0.5).count();
        if positive == 0 || positive == labels.len() {
            let problem = format!(
                "trees would be grown on {} rows, {positive} of them positive; both classes are needed",
                labels.len()
            );
            return Err(bad("features.trees.share", problem));
        }
        let matrix = inputs.fit(rows, &labels, &weights, &parts);
        let forest = Booster::grow(config, &matrix, &labels, &weights).map_err(|e| bad("features.trees", e))?;
        Ok(Self { share, inputs, forest })
    }

    /// The leaves of rows: as many ids a row as there are trees.
    pub(crate) fn keys(&self, matrix: &Matrix, seed: u64) -> Keys {
        let leaves = self.forest.leaves(matrix);
        let trees = leaves.len() / matrix.rows.max(1);
        let key = |row: usize, tree: usize| leaf_key(tree, leaves[tree * matrix.rows + row], seed);
        let keys =
            (0..matrix.rows).flat_map(|row| (0..trees).map(move |tree| (row, tree))).map(|(r, t)| key(r, t)).collect();
        Keys::Many { keys, weights: None, offsets: (0..=matrix.rows).map(|row| (row * trees) as u32).collect() }
    }

    /// The rows of a batch that a model learns from: those that the trees were not grown on.
    pub(crate) fn rows_left(&self, places: &[u64]) -> Vec<u32> {
        (0..).zip(places).filter(|(_, place)| !takes(self.share, **place)).map(|(row, _)| row).collect()
    }

    /// The share of the training rows that a model learns from.
    pub fn share_left(&self) -> f64 {
        1.0 - self.share
    }

    pub(crate) fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// As text.
    ///
    /// # Errors
    /// What the library refuses.
    pub fn save(&self) -> Result<String, FeatureError> {
        let refused = |e: String| bad("features.trees", e);
        let forest = self.forest.save().map_err(refused)?;
        serde_json::to_string(&Saved { share: self.share, inputs: self.inputs.clone(), forest })
            .map_err(|e| refused(e.to_string()))
    }

    /// From that text.
    ///
    /// # Errors
    /// Text of something else.
    pub fn load(text: &str) -> Result<Self, FeatureError> {
        let refused = |e: String| bad("features.trees", e);
        let saved: Saved = serde_json::from_str(text).map_err(|e| refused(e.to_string()))?;
        Ok(Self { share: saved.share, inputs: saved.inputs, forest: Booster::load(&saved.forest).map_err(refused)? })
    }

    /// What tells that text from others: trees and what learned from their leaves belong together.
    pub fn fingerprint(text: &str) -> String {
        format!("{:032x}", xxh3_128(text.as_bytes()))
    }
}

/// The id of a leaf: of its tree and its number there.
fn leaf_key(tree: usize, leaf: u32, seed: u64) -> u64 {
    xxh3_64_with_seed(&((tree as u64) << 32 | u64::from(leaf)).to_le_bytes(), seed).max(1)
}
