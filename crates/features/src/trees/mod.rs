//! Gradient-boosted trees whose leaves are ids: the other half of GBDT+LR (He et al., ADKDD 2014).
//!
//! Trees are grown on a share of the training rows, and what learns from their leaves learns from the rest: on the same
//! rows the leaves would tell the labels. An id is to the trees the mean label of its training rows, taken for each row
//! from rows of another part while they are grown.

mod booster;
mod forest;
mod inputs;

use burnrec_data::split::Dataset;
use burnrec_data::{Side, positions};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::batch::Keys;
use crate::columns::{Columns, Purpose};
use crate::config::TreesConfig;
use crate::error::{FeatureError, bad};
use crate::schema::Schema;
use booster::Booster;
use forest::Forest;
use inputs::{Inputs, Matrix};

/// Seed of the rows that trees are grown on.
const ROWS: u64 = 0x7472_6565;

/// Whether trees are grown on the row at a place, of this share of all, and not the model.
fn takes(share: f64, place: u64) -> bool {
    (xxh3_64_with_seed(&place.to_le_bytes(), ROWS) >> 11) as f64 / (1u64 << 53) as f64 <= share
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
    pub(crate) fn fit(columns: &Columns, dataset: &Dataset, config: &TreesConfig) -> Result<Self, FeatureError> {
        let schema = &columns.schema;
        let share = config.share.min(config.rows as f64 / columns.fitted.rows.max(1) as f64);
        let mut inputs = Inputs::new(schema);
        let mut rows = inputs.empty();
        let (mut labels, mut weights, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        let source = &**dataset.source(Side::Train);
        for batch in dataset.stream(Side::Train, &schema.columns(true))? {
            let batch = batch?;
            let taken = |(_, place): &(u32, &u64)| takes(share, **place);
            let places = positions(&batch);
            let mut own: Vec<u32> = (0..).zip(places.iter()).filter(taken).map(|(row, _)| row).collect();
            if own.is_empty() {
                continue;
            }
            let all = columns.encode(&batch, source, Purpose::Train)?;
            own.retain(|r| all.targets.is_known(*r as usize, 0));
            labels.extend(own.iter().map(|r| all.targets.value(*r as usize, 0)));
            let weight =
                |r: &u32| all.weight.get(*r as usize).copied().unwrap_or(1.0) * all.targets.weight(*r as usize, 0);
            weights.extend(own.iter().map(weight));
            parts.extend(own.iter().map(|r| xxh3_64_with_seed(&places[*r as usize].to_le_bytes(), ROWS + 1) & 1));
            inputs.add(&mut rows, &batch, source, schema, &all, &own)?;
        }
        let positive = labels.iter().filter(|y| **y > 0.5).count();
        if positive == 0 || positive == labels.len() {
            return Err(FeatureError::OneClassOfTrees { rows: labels.len(), positive });
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
    pub fn load(text: &str, schema: &Schema) -> Result<Self, FeatureError> {
        let refused = |e: String| bad("features.trees", e);
        let Saved { share, inputs, forest } = serde_json::from_str(text).map_err(|e| refused(e.to_string()))?;
        if !inputs.fits(schema) || !(0.0..=1.0).contains(&share) {
            return Err(refused("read other inputs than the config has".into()));
        }
        let forest = Booster::load(&forest, inputs.columns()).map_err(refused)?;
        Ok(Self { share, inputs, forest })
    }

    /// What tells that text from others: trees and what learned from their leaves belong together.
    pub fn fingerprint(text: &str) -> String {
        burnrec_data::sha256(text.as_bytes())
    }
}

/// The id of a leaf: of its tree and its number there.
fn leaf_key(tree: usize, leaf: u32, seed: u64) -> u64 {
    xxh3_64_with_seed(&((tree as u64) << 32 | u64::from(leaf)).to_le_bytes(), seed).max(1)
}
