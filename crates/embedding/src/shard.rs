//! Rows of a table, dealt to shards by number, so that shards can be updated at the same time.
//!
//! A row holds its weights, its optimiser state and two counters side by side: one stretch of memory a
//! touched row. A shard of fixed size is one allocation, since an allocator rounds middle sizes up by an eighth; one
//! that grows has chunks. A table is never copied.

use crate::init::Init;
use crate::optimizer::SparseOptimizer;

/// Shards of a table; a power of two.
pub(crate) const SHARDS: usize = 64;
/// Bits of a shard's number.
pub(crate) const SHARD_BITS: u32 = SHARDS.trailing_zeros();
/// Rows of a chunk of a shard that grows, as a power of two.
const CHUNK_BITS: u32 = 10;
/// Floats for the two counters: touches and the step of the last one.
const COUNTERS: usize = 2;

/// The shard that a row lives in.
pub(crate) fn shard_of(row: u32) -> usize {
    row as usize & (SHARDS - 1)
}

/// The number that orders rows by shard, then by place in it.
pub(crate) fn rotate(row: u32) -> u32 {
    row.rotate_right(SHARD_BITS)
}

/// The row of a rotated one.
pub(crate) fn unrotate(rotated: u32) -> u32 {
    rotated.rotate_left(SHARD_BITS)
}

/// The place in its shard of a rotated row.
pub(crate) fn local(rotated: u32) -> usize {
    (rotated & (u32::MAX >> SHARD_BITS)) as usize
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_keeps_rows_apart_and_groups_them_by_shard() {
        let rows = [0, 1, 63, 64, 65, 127, 128, u32::MAX];
        for row in rows {
            let rotated = rotate(row);
            assert_eq!((rotated >> (32 - SHARD_BITS)) as usize, shard_of(row));
            assert_eq!(local(rotated), row as usize / SHARDS);
        }
    }
}
