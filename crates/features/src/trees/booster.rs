//! The trees of forust.

use std::collections::HashSet;

use forust_ml::GradientBooster;
use forust_ml::gradientbooster::GrowPolicy;

use super::forest::Forest;
use super::inputs::Matrix;
use crate::config::TreesConfig;

/// A grown forest.
pub(crate) struct Booster(GradientBooster);

impl Forest for Booster {
    fn grow(config: &TreesConfig, rows: &Matrix, labels: &[f32], weights: &[f32]) -> Result<Self, String> {
        let mut booster = GradientBooster::default()
            .set_iterations(config.trees)
            .set_learning_rate(config.learning_rate)
            .set_max_depth(config.depth)
            .set_max_leaves(config.leaves)
            .set_min_leaf_weight(config.min_leaf_weight)
            .set_l2(config.l2)
            .set_terminate_missing_features(HashSet::new());
        booster.grow_policy = GrowPolicy::LossGuide;
        let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
        let data = forust_ml::Matrix::new(&rows.values, rows.rows, rows.columns);
        booster.fit(&data, &wide(labels), &wide(weights), None).map_err(|e| e.to_string())?;
        Ok(Self(booster))
    }

    fn leaves(&self, rows: &Matrix) -> Vec<u32> {
        let data = forust_ml::Matrix::new(&rows.values, rows.rows, rows.columns);
        self.0.predict_leaf_indices(&data).into_iter().map(|leaf| leaf as u32).collect()
    }

    fn save(&self) -> Result<String, String> {
        self.0.json_dump().map_err(|e| e.to_string())
    }

    fn load(text: &str, columns: usize) -> Result<Self, String> {
        let booster = GradientBooster::from_json(text).map_err(|e| e.to_string())?;
        for (number, tree) in booster.trees.iter().enumerate() {
            // A child stands behind its parent, so that every way down ends.
            let mut sound = !tree.nodes.is_empty();
            for (at, node) in tree.nodes.iter().enumerate().filter(|(_, node)| !node.is_leaf) {
                let mut children = [node.left_child, node.right_child, node.missing_node].into_iter();
                sound &= node.split_feature < columns && children.all(|c| c > at && c < tree.nodes.len());
            }
            if !sound {
                return Err(format!("tree {number} is none: its nodes lead nowhere, or in a circle"));
            }
        }
        Ok(Self(booster))
    }
}
