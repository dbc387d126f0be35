//! Rows of a table, dealt to shards by number, so that shards can be updated at the same time.
//!
//! A row holds its weights, its optimiser state and two counters side by side: one stretch of memory a
//! touched row. A shard of fixed size is one allocation, since an allocator rounds middle sizes up by an eighth; one
//! that grows has chunks. A table is never copied.

use crate::lookups::Init;
use crate::optimizer::SparseOptimizer;

/// Rows of a chunk of a shard that grows, as a power of two.
const CHUNK_BITS: u32 = 10;
/// Floats for the two counters: touches and the step of the last one.
const COUNTERS: usize = 2;

/// How the floats of a row are divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) dim: usize,
    pub(crate) state: usize,
}

impl Layout {
    pub(crate) fn stride(self) -> usize {
        self.dim + self.state + COUNTERS
    }
}

/// A row, in parts.
pub(crate) struct RowMut<'a> {
    pub(crate) weights: &'a mut [f32],
    pub(crate) state: &'a mut [f32],
    counters: &'a mut [f32],
}

impl RowMut<'_> {
    /// Touches so far.
    pub(crate) fn count(&self) -> u32 {
        self.counters[0].to_bits()
    }

    /// The step of the last touch; 0 before the first.
    pub(crate) fn last(&self) -> u32 {
        self.counters[1].to_bits()
    }

    pub(crate) fn set_counters(&mut self, count: u32, last: u32) {
        self.counters[0] = f32::from_bits(count);
        self.counters[1] = f32::from_bits(last);
    }
}

/// The rows of one shard.
pub(crate) struct Shard {
    layout: Layout,
    chunks: Vec<Vec<f32>>,
    /// Rows of a chunk, as a power of two.
    bits: u32,
    rows: usize,
}

impl Shard {
    pub(crate) fn new(layout: Layout) -> Self {
        Self { layout, chunks: Vec::new(), bits: CHUNK_BITS, rows: 0 }
    }

    /// Makes room for `rows` rows, all zero; existing rows stay where they are. A shard that is `fixed` gets its room
    /// once.
    pub(crate) fn grow(&mut self, rows: usize, fixed: bool) {
        if fixed && self.chunks.is_empty() {
            self.bits = rows.max(1).next_power_of_two().trailing_zeros();
            self.chunks.push(vec![0.0; rows * self.layout.stride()]);
        }
        while (self.chunks.len() << self.bits) < rows {
            self.chunks.push(vec![0.0; self.layout.stride() << self.bits]);
        }
        self.rows = self.rows.max(rows);
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn row(&self, at: usize) -> &[f32] {
        let start = (at & ((1 << self.bits) - 1)) * self.layout.stride();
        &self.chunks[at >> self.bits][start..start + self.layout.stride()]
    }

    pub(crate) fn weights(&self, at: usize) -> &[f32] {
        let start = (at & ((1 << self.bits) - 1)) * self.layout.stride();
        &self.chunks[at >> self.bits][start..start + self.layout.dim]
    }

    pub(crate) fn row_mut(&mut self, at: usize) -> RowMut<'_> {
        let stride = self.layout.stride();
        let start = (at & ((1 << self.bits) - 1)) * stride;
        let row = &mut self.chunks[at >> self.bits][start..start + stride];
        let (weights, rest) = row.split_at_mut(self.layout.dim);
        let (state, counters) = rest.split_at_mut(self.layout.state);
        RowMut { weights, state, counters }
    }

    /// Sets a row to its first value.
    pub(crate) fn init_row(&mut self, at: usize, init: Init, optimizer: &SparseOptimizer, seed: u64, key: u64) {
        let row = self.row_mut(at);
        init.fill(row.weights, seed, key);
        optimizer.init_state(row.weights, row.state);
    }
}
