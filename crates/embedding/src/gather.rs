//! The vectors of a batch, gathered from tables in host memory.

use burnrec_backend::{filled_by_chunks, prefetch};
use burnrec_features::Pooling;

use crate::space::SpaceBatch;
use crate::table::{EARLY, NOBODY, Table};
use crate::tables::Tables;

/// Batch rows that one task gathers.
const ROWS_A_TASK: usize = 128;
/// Positions of a sequence that one task gathers.
const POSITIONS_A_TASK: usize = 1024;

/// The gathered vectors of a batch.
pub struct Gathered {
    /// One leaf a lookup: `[B, slots, dim]` row by row.
    pub leaves: Vec<Vec<f32>>,
    /// The sequences of each lookup: `[positions, dim]` each.
    pub sequences: Vec<Vec<Vec<f32>>>,
    /// One entry a table: who won each maximum, `[B, slots, dim]`; empty without max pooling.
    pub(crate) winners: Vec<Vec<u32>>,
}

impl Gathered {
    /// The leaf of a lookup, which is gone then; padded with zeros to `length`.
    pub fn take(&mut self, lookup: usize, length: usize) -> Vec<f32> {
        let mut leaf = std::mem::take(&mut self.leaves[lookup]);
        leaf.resize(length, 0.0);
        leaf
    }
}

impl Tables {
    /// Gathers the vectors of a batch.
    pub fn gather(&self, batch_rows: usize, prepared: &[SpaceBatch]) -> Gathered {
        let mut winners: Vec<Vec<u32>> = self.tables.iter().map(|_| Vec::new()).collect();
        let leaves = (0..self.dims.len()).map(|l| self.gather_lookup(l, batch_rows, prepared, &mut winners)).collect();
        let mut sequences: Vec<Vec<Vec<f32>>> = self.sequences.iter().map(|n| vec![Vec::new(); *n]).collect();
        for table in &self.tables {
            let space = &prepared[table.space];
            let mut first = space.slots;
            for (number, positions) in table.sequences.iter().zip(&space.sequences) {
                sequences[table.lookup][*number] = table.gather_positions(space, first, *positions);
                first += positions;
            }
        }
        Gathered { leaves, sequences, winners }
    }

    /// Gathers one lookup's leaf from all of its tables; empty where they live on a device.
    fn gather_lookup(
        &self,
        lookup: usize,
        batch_rows: usize,
        prepared: &[SpaceBatch],
        winners: &mut [Vec<u32>],
    ) -> Vec<f32> {
        let tables = || self.tables.iter().enumerate().filter(|(_, t)| t.lookup == lookup && t.away.is_none());
        let width = self.slot_order[lookup].len() * self.dims[lookup];
        if tables().next().is_none() || width == 0 {
            return Vec::new();
        }
        let maxima = |table: &Table| prepared[table.space].pooling.contains(&Pooling::Max);
        let mut leaf = filled_by_chunks(batch_rows * width, width * ROWS_A_TASK, |task, rows| {
            for (_, table) in tables().filter(|(_, t)| !maxima(t)) {
                let space = &prepared[table.space];
                for (i, row) in rows.chunks_mut(width).enumerate() {
                    table.prefetch_row(space, task * ROWS_A_TASK + i + 1);
                    table.gather_row(space, task * ROWS_A_TASK + i, &mut row[table.span()], &mut []);
                }
            }
        });
        for (number, table) in tables().filter(|(_, t)| maxima(t)) {
            let own = table.span().len();
            winners[number] = vec![NOBODY; batch_rows * own];
            let rows = leaf.chunks_mut(width).zip(winners[number].chunks_mut(own)).enumerate();
            rows.for_each(|(b, (row, won))| table.gather_row(&prepared[table.space], b, &mut row[table.span()], won));
        }
        leaf
    }
}

impl Table {
    /// The vectors of a sequence: `positions` of them from slot position `first` on.
    fn gather_positions(&self, space: &SpaceBatch, first: usize, positions: usize) -> Vec<f32> {
        // Where ids are pooled, those of sequences stand behind all others as well, one a position.
        let start = if space.pooling.is_empty() { first } else { space.starts[first] as usize };
        let rows = &space.rows[start..start + positions];
        self.gather_rows(rows, POSITIONS_A_TASK)
    }

    /// The vectors of rows, one behind the other.
    fn gather_rows(&self, rows: &[u32], rows_a_task: usize) -> Vec<f32> {
        let dim = self.layout.dim;
        filled_by_chunks(rows.len() * dim, rows_a_task * dim, |task, out| {
            let rows = &rows[task * rows_a_task..];
            for (i, out) in out.chunks_mut(dim).enumerate() {
                if let Some(later) = rows.get(i + EARLY) {
                    prefetch(self.weights(*later));
                }
                copy(out, self.weights(rows[i]));
            }
        })
    }

    /// Asks for the vectors of a batch row before they are gathered.
    fn prefetch_row(&self, space: &SpaceBatch, b: usize) {
        if space.pooling.is_empty()
            && let Some(rows) = space.rows.get(b * self.columns.count..(b + 1) * self.columns.count)
        {
            rows.iter().for_each(|row| prefetch(self.weights(*row)));
        }
    }

    /// Writes the slots of one batch row; `winners` gets the occurrence that won each maximum.
    fn gather_row(&self, space: &SpaceBatch, b: usize, out: &mut [f32], winners: &mut [u32]) {
        let dim = self.layout.dim;
        for slot in 0..self.columns.count {
            let place = b * self.columns.count + slot;
            let target = &mut out[slot * dim..(slot + 1) * dim];
            if space.pooling.is_empty() {
                copy(target, self.weights(space.rows[place]));
                continue;
            }
            let span = space.starts[place] as usize..space.starts[place + 1] as usize;
            match space.pooling[slot] {
                Pooling::Max => self.gather_max(space, span, target, &mut winners[slot * dim..(slot + 1) * dim]),
                _ => span.for_each(|at| {
                    let weight = space.places[at].1;
                    target.iter_mut().zip(self.weights(space.rows[at])).for_each(|(t, w)| *t += weight * w);
                }),
            }
        }
    }

    fn gather_max(&self, space: &SpaceBatch, span: std::ops::Range<usize>, target: &mut [f32], winners: &mut [u32]) {
        for at in span {
            for ((t, winner), w) in target.iter_mut().zip(winners.iter_mut()).zip(self.weights(space.rows[at])) {
                if *winner == NOBODY || *w > *t {
                    (*t, *winner) = (*w, at as u32);
                }
            }
        }
    }
}

/// Copies a row; the usual widths as one block instead of by a call.
#[inline(always)]
fn copy(to: &mut [f32], from: &[f32]) {
    fn block<const N: usize>(to: &mut [f32], from: &[f32]) {
        if let (Ok(to), Ok(from)) = (<&mut [f32; N]>::try_from(to), <&[f32; N]>::try_from(from)) {
            *to = *from;
        }
    }
    match to.len() {
        1 => block::<1>(to, from),
        8 => block::<8>(to, from),
        16 => block::<16>(to, from),
        32 => block::<32>(to, from),
        _ => to.copy_from_slice(from),
    }
}
