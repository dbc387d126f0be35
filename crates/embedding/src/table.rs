//! One table: the vectors of one space for one lookup, gathered and updated over all cores.

use burnrec_backend::vectorized;
use burnrec_features::Pooling;
use rayon::prelude::*;

use crate::init::Init;
use crate::optimizer::{SparseOptimizer, StepContext};
use crate::shard::{Layout, SHARDS, Shard, local, shard_of};
use crate::space::SpaceBatch;

/// Where a table's slots stand in the leaf `[B, slots, dim]` of its lookup.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    /// The first slot.
    pub(crate) first: usize,
    /// How many slots are this table's.
    pub(crate) count: usize,
    /// All slots of the leaf.
    pub(crate) total: usize,
}

/// Rows and their optimiser.
pub(crate) struct Table {
    pub(crate) space: usize,
    pub(crate) lookup: usize,
    pub(crate) columns: Columns,
    pub(crate) optimizer: SparseOptimizer,
    pub(crate) layout: Layout,
    init: Init,
    seed: u64,
    pub(crate) shards: Vec<Shard>,
}

/// No occurrence won a maximum.
pub(crate) const NOBODY: u32 = u32::MAX;

impl Table {
    pub(crate) fn new(
        space: usize,
        lookup: usize,
        columns: Columns,
        dim: usize,
        optimizer: SparseOptimizer,
        init: Init,
        seed: u64,
    ) -> Self {
        let layout = Layout { dim, state: optimizer.state_floats(dim) };
        let shards = (0..SHARDS).map(|_| Shard::new(layout)).collect();
        Self { space, lookup, columns, optimizer, layout, init, seed, shards }
    }

    /// Makes room for rows below `rows`, and starts those from `from` with the value of their key.
    pub(crate) fn grow(&mut self, from: u32, rows: u32, key_of: &(dyn Fn(u32) -> u64 + Sync)) {
        let (init, optimizer, seed) = (self.init, &self.optimizer, self.seed);
        self.shards.par_iter_mut().enumerate().for_each(|(number, shard)| {
            let count = (rows as usize + SHARDS - 1 - number) / SHARDS;
            shard.grow(count);
            let first = (from as usize + SHARDS - 1 - number) / SHARDS;
            for at in first..count {
                let row = (at * SHARDS + number) as u32;
                // Padding (0) and the rows of unseen ids (key 0) start at zero.
                let key = if row == 0 { 0 } else { key_of(row) };
                let how = if key == 0 { Init::Zeros } else { init };
                shard.init_row(at, how, optimizer, seed, key);
            }
        });
    }

    pub(crate) fn weights(&self, row: u32) -> &[f32] {
        self.shards[shard_of(row)].weights(row as usize / SHARDS)
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

    fn gather_max(&self, space: &SpaceBatch, span: std::ops::Range<usize>, target: &mut [f32], winners: &mut [u32]) {
        for at in span {
            for ((t, winner), w) in target.iter_mut().zip(winners.iter_mut()).zip(self.weights(space.rows[at])) {
                if *winner == NOBODY || *w > *t {
                    (*t, *winner) = (*w, at as u32);
                }
            }
        }
    }

    /// Sums the leaf's gradient per touched row and steps each once. `gradient` is `[B, slots, dim]`;
    /// `winners` are those of the gather, `[B, this table's slots, dim]`.
    pub(crate) fn apply(
        &mut self,
        space: &SpaceBatch,
        gradient: &[f32],
        winners: &[u32],
        context: &StepContext,
        frequency: &[u32],
    ) {
        let (dim, columns, optimizer) = (self.layout.dim, self.columns, &self.optimizer);
        let step = u32::try_from(context.step).unwrap_or(u32::MAX);
        let apply = |number: usize, shard: &mut Shard| {
            let order = &space.order[space.shards[number]..space.shards[number + 1]];
            let mut sum = vec![0.0f32; dim];
            for segment in order.chunk_by(|a, b| a >> 32 == b >> 32) {
                sum.fill(0.0);
                for &packed in segment {
                    add_occurrence(&mut sum, space, packed as u32, gradient, winners, columns);
                }
                let at = local((segment[0] >> 32) as u32);
                let mut row = shard.row_mut(at);
                let count = row.count().saturating_add(segment.len() as u32);
                let skipped =
                    u64::from(step.saturating_sub(row.last().max(1)).saturating_sub(1)) * u64::from(row.last() > 0);
                let seen = frequency.get(at * SHARDS + number).copied().unwrap_or(count);
                optimizer.step(context, row.weights, row.state, &mut sum, skipped, seen as f32);
                row.set_counters(count, step);
            }
        };
        self.shards.par_iter_mut().enumerate().for_each(|(number, shard)| vectorized(|| apply(number, shard)));
    }
}

impl Table {
    /// Sum of squares of the touched rows' gradients.
    pub(crate) fn squared_norm(&self, space: &SpaceBatch, gradient: &[f32], winners: &[u32]) -> f64 {
        let (dim, columns) = (self.layout.dim, self.columns);
        let of_shard = |number: usize| {
            let order = &space.order[space.shards[number]..space.shards[number + 1]];
            let mut sum = vec![0.0f32; dim];
            let mut squares = 0.0;
            for segment in order.chunk_by(|a, b| a >> 32 == b >> 32) {
                sum.fill(0.0);
                for &packed in segment {
                    add_occurrence(&mut sum, space, packed as u32, gradient, winners, columns);
                }
                squares += sum.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
            }
            squares
        };
        // Summed in the order of the shards, so that two runs agree to the bit.
        (0..SHARDS).into_par_iter().map(of_shard).collect::<Vec<f64>>().into_iter().sum()
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

/// Adds one occurrence's share of the leaf's gradient.
#[inline(always)]
fn add_occurrence(
    sum: &mut [f32],
    space: &SpaceBatch,
    occurrence: u32,
    gradient: &[f32],
    winners: &[u32],
    columns: Columns,
) {
    let dim = sum.len();
    let (place, weight) = match space.pooling.is_empty() {
        true => (occurrence as usize, 1.0),
        false => (space.places[occurrence as usize].0 as usize, space.places[occurrence as usize].1),
    };
    let (b, slot) = (place / columns.count, place % columns.count);
    let leaf = (b * columns.total + columns.first + slot) * dim;
    let piece = &gradient[leaf..leaf + dim];
    match space.pooling.get(slot) {
        None => sum.iter_mut().zip(piece).for_each(|(s, g)| *s += g),
        Some(Pooling::Max) => {
            let won = &winners[place * dim..(place + 1) * dim];
            sum.iter_mut().zip(piece).zip(won).filter(|(_, w)| **w == occurrence).for_each(|((s, g), _)| *s += g);
        }
        Some(_) => sum.iter_mut().zip(piece).for_each(|(s, g)| *s += weight * g),
    }
}
