//! What kernels are told.

use cubecl::prelude::*;

/// What one step's update needs to know; see [`crate::rows::RowStep`].
#[derive(CubeLaunch, CubeType)]
pub(in crate::rows) struct Numbers {
    pub(in crate::rows) rate: f32,
    pub(in crate::rows) base_rate: f32,
    pub(in crate::rows) beta_1: f32,
    pub(in crate::rows) beta_2: f32,
    pub(in crate::rows) epsilon: f32,
    pub(in crate::rows) beta: f32,
    pub(in crate::rows) l1: f32,
    pub(in crate::rows) l21: f32,
    pub(in crate::rows) l2: f32,
    pub(in crate::rows) mba_l2: f32,
    pub(in crate::rows) correction: f32,
    pub(in crate::rows) batch_rows: f32,
    pub(in crate::rows) step: i32,
}

/// Where the parts of a packed batch start; see [`crate::rows::Plan`].
#[derive(CubeLaunch, CubeType)]
pub(in crate::rows) struct Parts {
    pub(in crate::rows) rows: usize,
    pub(in crate::rows) starts: usize,
    pub(in crate::rows) places: usize,
    pub(in crate::rows) shares: usize,
    pub(in crate::rows) maxima: usize,
    pub(in crate::rows) order: usize,
    pub(in crate::rows) pieces: usize,
    pub(in crate::rows) row_pieces: usize,
    pub(in crate::rows) unique: usize,
    /// Where the folds of pieces start among the sums.
    pub(in crate::rows) folds: usize,
}

/// The rows of a table that a buffer holds.
#[derive(CubeLaunch, CubeType)]
pub(in crate::rows) struct Held {
    pub(in crate::rows) from: usize,
    pub(in crate::rows) to: usize,
}

/// Where a table's slots stand in its leaf, and how wide its rows are.
#[derive(CubeLaunch, CubeType)]
pub(in crate::rows) struct Leaf {
    pub(in crate::rows) first: usize,
    pub(in crate::rows) count: usize,
    pub(in crate::rows) total: usize,
    pub(in crate::rows) squares: usize,
    pub(in crate::rows) dim: usize,
    /// Cells of all rows: behind them stand the positions of sequences.
    pub(in crate::rows) cells: usize,
}
