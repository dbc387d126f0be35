//! What grows trees and finds leaves: the part that a library does.

use super::inputs::Matrix;
use crate::config::TreesConfig;

/// A forest of some library.
pub(crate) trait Forest: Sized {
    /// Trees for labels 0 and 1.
    fn grow(config: &TreesConfig, rows: &Matrix, labels: &[f32], weights: &[f32]) -> Result<Self, String>;

    /// The leaf of each row in each tree, tree after tree, numbered within its tree.
    fn leaves(&self, rows: &Matrix) -> Vec<u32>;

    /// As text.
    fn save(&self) -> Result<String, String>;

    /// From that text, over so many columns.
    fn load(text: &str, columns: usize) -> Result<Self, String>;
}
