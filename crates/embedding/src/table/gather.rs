//! The vectors of a batch, gathered from one table in host memory.

use burnrec_backend::{filled_by_chunks, prefetch};
use burnrec_features::Pooling;

use crate::space::SpaceBatch;
use crate::table::{EARLY, NOBODY, Table};

/// Positions of a sequence that one task gathers.
const POSITIONS_A_TASK: usize = 1024;

impl Table {
    /// The vectors of a sequence: `positions` of them from slot position `first` on.
    pub(crate) fn gather_positions(&self, space: &SpaceBatch, first: usize, positions: usize) -> Vec<f32> {
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
    pub(crate) fn prefetch_row(&self, space: &SpaceBatch, b: usize) {
        if space.pooling.is_empty()
            && let Some(rows) = space.rows.get(b * self.columns.count..(b + 1) * self.columns.count)
        {
            rows.iter().for_each(|row| prefetch(self.weights(*row)));
        }
    }

    /// Writes the slots of one batch row; `winners` gets the occurrence that won each maximum.
    pub(crate) fn gather_row(&self, space: &SpaceBatch, b: usize, out: &mut [f32], winners: &mut [u32]) {
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

    /// Adds the sums of squares of one batch row to the whole row of the leaf, whose slots are gathered.
    pub(crate) fn gather_squares(&self, space: &SpaceBatch, b: usize, leaf: &mut [f32]) {
        let (dim, Some(first)) = (self.layout.dim, self.squares) else { return };
        for slot in 0..self.columns.count {
            let place = b * self.columns.count + slot;
            let (slots, squares) = leaf.split_at_mut(first * dim);
            let target = &mut squares[slot * dim..(slot + 1) * dim];
            if space.pooling[slot] == Pooling::Max {
                let own = &slots[(self.columns.first + slot) * dim..(self.columns.first + slot + 1) * dim];
                target.iter_mut().zip(own).for_each(|(t, v)| *t = v * v);
                continue;
            }
            for occurrence in space.starts[place] as usize..space.starts[place + 1] as usize {
                let weight = space.places[occurrence].1;
                let weights = self.weights(space.rows[occurrence]);
                target.iter_mut().zip(weights).for_each(|(t, w)| *t += (weight * w) * (weight * w));
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
