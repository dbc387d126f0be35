//! Rows of embedding tables in a device's memory: gathered and updated there, by kernels of our own.
//!
//! A batch comes up as one packed buffer of whole numbers ([`Parts`] says what is in it). An update sums the leaf's
//! gradient in pieces of a row's occurrences, then steps each touched row once, in place.

#[cfg(feature = "cube")]
mod cube;
#[cfg(feature = "cube")]
mod device_rows;
#[cfg(not(feature = "cube"))]
#[path = "without.rs"]
mod device_rows;
#[cfg(feature = "cube")]
mod kernel;
#[cfg(feature = "cube")]
mod op;
mod pack;
#[cfg(all(test, feature = "wgpu"))]
mod tests;
#[cfg(all(test, feature = "wgpu"))]
mod tests_pooled;

use burn::tensor::{Int, Tensor};

pub use device_rows::{DeviceRows, PackedBatch};
pub use pack::Packer;

/// Numbers of the update rules.
pub mod rule {
    /// `w -= η g`
    pub const SGD: u32 = 0;
    /// Adagrad
    pub const ADAGRAD: u32 = 1;
    /// Row-wise Adagrad
    pub const ROW_WISE: u32 = 2;
    /// Adam on touched rows
    pub const ADAM: u32 = 3;
    /// FTRL-Proximal; this rule and those above it work on sums over the batch.
    pub const FTRL: u32 = 4;
    /// FOBOS
    pub const FOBOS: u32 = 5;
    /// RDA
    pub const RDA: u32 = 6;
}

/// Occurrences of one row that one thread sums.
pub const PIECE: usize = 64;

/// Pieces of one row that one thread adds up, or folds of so many.
pub const FOLD: usize = 64;

/// Whole numbers between the starts of the float parts of a packed batch: 256 bytes, which every device can bind at.
pub const ALIGN: usize = 64;

/// Where the parts of one space start in a packed batch, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The row of each occurrence.
    pub rows: usize,
    /// Pooled: where the occurrences of each cell start, and the end.
    pub starts: usize,
    /// Pooled: the cell of each occurrence.
    pub places: usize,
    /// Pooled: the weight of each occurrence, as the bits of a float.
    pub shares: usize,
    /// Pooled: 1 for each slot that takes the maximum.
    pub maxima: usize,
    /// Occurrences grouped by row, padding left out.
    pub order: usize,
    /// Where each piece starts in `order`, and the end.
    pub pieces: usize,
    /// The first piece of each touched row, and the end.
    pub row_pieces: usize,
    /// The touched rows.
    pub unique: usize,
}

/// What a packed batch holds of one space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Where.
    pub parts: Parts,
    /// Batch rows times slots.
    pub cells: usize,
    /// Pieces of the touched rows' occurrences.
    pub pieces: usize,
    /// Touched rows.
    pub unique: usize,
    /// Pieces of the row that has most.
    pub longest: usize,
    /// Whether cells have several occurrences.
    pub pooled: bool,
}

impl Plan {
    /// Whether pieces are folded: some row has so many that a thread would walk for long.
    pub fn folds(&self) -> bool {
        self.longest > 2 * FOLD
    }
}

/// Where a table's slots stand in the leaf `[B, slots, dim]` of its lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The first slot.
    pub first: usize,
    /// How many slots are this table's.
    pub count: usize,
    /// All slots of the leaf.
    pub total: usize,
    /// The place of the sum of squares of the first slot, where those are in the leaf too.
    pub squares: Option<usize>,
    /// Width of a vector.
    pub dim: usize,
}

/// The rows of a table that one of its buffers holds, and which of them all it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first row.
    pub from: usize,
    /// Behind the last one.
    pub to: usize,
    /// Whether buffers before it wrote what it goes on with.
    pub further: bool,
    /// Whether no buffer comes behind it.
    pub last: bool,
}

/// What was gathered of a table.
#[derive(Clone, Debug)]
pub struct Gather {
    /// The vectors `[B, count, dim]`.
    pub vectors: Tensor<3>,
    /// Who won each maximum, where cells are pooled.
    pub winners: Tensor<3, Int>,
    /// The sums of squares `[B, count, dim]`, where they are asked for.
    pub squares: Option<Tensor<3>>,
}

/// What is the same for every row of one update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowStep {
    /// One of [`rule`].
    pub rule: u32,
    /// Learning rate times its schedule's factor.
    pub rate: f32,
    /// Learning rate without it.
    pub base_rate: f32,
    /// Adam's decay of the first moment.
    pub beta_1: f32,
    /// Adam's decay of the second moment.
    pub beta_2: f32,
    /// Added to roots.
    pub epsilon: f32,
    /// FTRL's and FOBOS's β.
    pub beta: f32,
    /// L1 strength.
    pub l1: f32,
    /// Group strength of a row, in FOBOS.
    pub l21: f32,
    /// L2 strength.
    pub l2: f32,
    /// Mini-batch-aware L2 strength.
    pub mba_l2: f32,
    /// Adam's bias correction.
    pub correction: f32,
    /// Rows of the batch.
    pub batch_rows: f32,
    /// Steps, this one included.
    pub step: i32,
    /// Whether the rows' frequencies are known; touches so far stand in where not.
    pub counted: bool,
}
