//! Updates of rows in host memory: gradients summed over a row's occurrences, then one optimiser step, shard by shard.

use burnrec_backend::{prefetch, vectorized};
use burnrec_features::Pooling;
use rayon::prelude::*;

use crate::optimizer::{SparseOptimizer, StepContext};
use crate::shards::{SHARDS, local};
use crate::space::SpaceBatch;
use crate::table::{Columns, EARLY, Shard, Table};

/// The gradient of what one lookup gave.
#[derive(Clone, Debug, Default)]
pub struct LookupGradient {
    /// Of its leaf, `[B, slots, dim]`.
    pub leaf: Vec<f32>,
    /// Of each of its sequences, `[positions, dim]`.
    pub sequences: Vec<Vec<f32>>,
}

impl LookupGradient {
    /// Whether nothing came back.
    pub fn is_empty(&self) -> bool {
        self.leaf.is_empty() && self.sequences.iter().all(Vec::is_empty)
    }

    /// Multiplies all of it.
    pub fn scale(&mut self, by: f32) {
        self.leaf.iter_mut().chain(self.sequences.iter_mut().flatten()).for_each(|g| *g *= by);
    }
}

impl Table {
    /// Sums the gradient per touched row and steps each once; `winners` are those of the gather, `[B, this table's slots, dim]`.
    pub(crate) fn apply(
        &mut self,
        space: &SpaceBatch,
        gradient: &Gradient<'_>,
        winners: &[u32],
        context: &StepContext,
        frequency: &[u32],
    ) {
        let job =
            Update { space, gradient, winners, context, frequency, optimizer: &self.optimizer, dim: self.layout.dim };
        let shards = self.shards.par_iter_mut().enumerate();
        shards.for_each(|(number, shard)| vectorized!(job.run(number, shard)));
    }
}

/// What an update of one shard needs.
struct Update<'a> {
    space: &'a SpaceBatch,
    gradient: &'a Gradient<'a>,
    winners: &'a [u32],
    context: &'a StepContext,
    frequency: &'a [u32],
    optimizer: &'a SparseOptimizer,
    dim: usize,
}

impl Update<'_> {
    /// Into its caller, which alone may use the widest vectors: a closure of this length would not be.
    #[inline(always)]
    fn run(&self, number: usize, shard: &mut Shard) {
        let Self { space, gradient, winners, context, frequency, optimizer, dim } = *self;
        let step = u32::try_from(context.step).unwrap_or(u32::MAX);
        let order = &space.order[space.shards[number]..space.shards[number + 1]];
        let mut sum = vec![0.0f32; dim];
        let mut done = 0;
        for segment in order.chunk_by(|a, b| a >> 32 == b >> 32) {
            sum.fill(0.0);
            for &packed in segment {
                if let Some(&later) = order.get(done + EARLY) {
                    prefetch(piece(space, later as u32, gradient, dim).0);
                    prefetch(shard.row(local((later >> 32) as u32)));
                }
                done += 1;
                let weights = shard.weights(local((packed >> 32) as u32));
                add_occurrence(&mut sum, space, packed as u32, gradient, winners, weights);
            }
            let at = local((segment[0] >> 32) as u32);
            let mut row = shard.row_mut(at);
            let count = row.count().saturating_add(segment.len() as u32);
            let skipped =
                u64::from(step.saturating_sub(row.last().max(1)).saturating_sub(1)) * u64::from(row.last() > 0);
            let seen = frequency.get(at * SHARDS + number).copied().filter(|f| *f > 0).unwrap_or(count);
            optimizer.step(context, row.weights, row.state, &mut sum, skipped, seen as f32);
            row.set_counters(count, step);
        }
    }
}

impl Table {
    /// Sum of squares of the touched rows' gradients.
    pub(crate) fn squared_norm(&self, space: &SpaceBatch, gradient: &Gradient<'_>, winners: &[u32]) -> f64 {
        let dim = self.layout.dim;
        let of_shard = |number: usize| {
            let order = &space.order[space.shards[number]..space.shards[number + 1]];
            let mut sum = vec![0.0f32; dim];
            let mut squares = 0.0;
            for segment in order.chunk_by(|a, b| a >> 32 == b >> 32) {
                sum.fill(0.0);
                for &packed in segment {
                    let weights = self.shards[number].weights(local((packed >> 32) as u32));
                    add_occurrence(&mut sum, space, packed as u32, gradient, winners, weights);
                }
                squares += sum.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
            }
            squares
        };
        // Summed in the order of the shards, so that two runs agree to the bit.
        (0..SHARDS).into_par_iter().map(of_shard).collect::<Vec<f64>>().into_iter().sum()
    }
}

/// The gradient of what a lookup gave, as one of its tables sees it.
pub(crate) struct Gradient<'a> {
    leaf: &'a [f32],
    columns: Columns,
    /// Slot positions of all rows.
    slots: usize,
    /// The first position of each of the table's sequences behind them, and its gradient.
    sequences: Vec<(usize, &'a [f32])>,
    /// The place in the leaf of the sum of squares of the first slot, where there are some.
    squares: Option<usize>,
}

impl<'a> Gradient<'a> {
    pub(crate) fn new(table: &Table, space: &SpaceBatch, gradient: &'a LookupGradient) -> Self {
        let mut first = space.slots;
        let own = table.sequences.iter().zip(&space.sequences).map(|(number, positions)| {
            first += positions;
            (first - positions, gradient.sequences.get(*number).map_or(&[][..], Vec::as_slice))
        });
        let sequences = own.collect();
        let squares = table.squares;
        Self { leaf: &gradient.leaf, columns: table.columns, slots: space.slots, sequences, squares }
    }

    /// The part of the sum of squares of a slot position, where there is one.
    #[inline(always)]
    fn of_squares(&self, place: usize, dim: usize) -> Option<&'a [f32]> {
        let first = self.squares.filter(|_| place < self.slots)?;
        let at = (place / self.columns.count * self.columns.total + first + place % self.columns.count) * dim;
        Some(&self.leaf[at..at + dim])
    }

    /// The part at a slot position.
    #[inline(always)]
    fn at(&self, place: usize, dim: usize) -> &'a [f32] {
        if place < self.slots {
            let Columns { first, count, total } = self.columns;
            let leaf = (place / count * total + first + place % count) * dim;
            return &self.leaf[leaf..leaf + dim];
        }
        let after = self.sequences.partition_point(|(first, _)| *first <= place);
        let (first, values) = self.sequences[after - 1];
        &values[(place - first) * dim..(place - first + 1) * dim]
    }
}

/// An occurrence's part of the gradient, its place and its weight.
#[inline(always)]
fn piece<'a>(space: &SpaceBatch, occurrence: u32, gradient: &Gradient<'a>, dim: usize) -> (&'a [f32], usize, f32) {
    let (place, weight) = match space.pooling.is_empty() {
        true => (occurrence as usize, 1.0),
        false => (space.places[occurrence as usize].0 as usize, space.places[occurrence as usize].1),
    };
    (gradient.at(place, dim), place, weight)
}

/// Adds one occurrence's share of the gradient.
#[inline(always)]
fn add_occurrence(
    sum: &mut [f32],
    space: &SpaceBatch,
    occurrence: u32,
    gradient: &Gradient<'_>,
    winners: &[u32],
    weights: &[f32],
) {
    let dim = sum.len();
    let (piece, place, weight) = piece(space, occurrence, gradient, dim);
    if space.pooling.is_empty() {
        sum.iter_mut().zip(piece).for_each(|(s, g)| *s += g);
        return;
    }
    let is_maximum = place < space.slots && space.pooling[place % space.pooling.len()] == Pooling::Max;
    if is_maximum {
        let won = &winners[place * dim..(place + 1) * dim];
        let squares = gradient.of_squares(place, dim);
        for (d, s) in sum.iter_mut().enumerate().filter(|(d, _)| won[*d] == occurrence) {
            *s += piece[d] + squares.map_or(0.0, |g| 2.0 * g[d] * weights[d]);
        }
    } else {
        sum.iter_mut().zip(piece).for_each(|(s, g)| *s += weight * g);
        if let Some(squares) = gradient.of_squares(place, dim) {
            // ∂ (x v)² / ∂ v
            let by = 2.0 * weight * weight;
            sum.iter_mut().zip(squares).zip(weights).for_each(|((s, g), w)| *s += by * g * w);
        }
    }
}
