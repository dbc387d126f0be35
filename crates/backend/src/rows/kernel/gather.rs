//! Vectors of rows, for the cells of a batch.

use cubecl::prelude::*;

use super::facts::{Held, Leaf, Parts};

/// `out[cell, d] = weights[row of cell, d]`, of cells whose row the buffer holds.
#[cube(launch)]
pub(in crate::rows) fn gather_one(
    weights: &Tensor<f32>,
    packed: &Tensor<i32>,
    out: &mut Tensor<f32>,
    parts: Parts,
    held: Held,
    dim: usize,
    length: usize,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let row = packed[parts.rows + ABSOLUTE_POS / dim] as usize;
    if row >= held.from && row < held.to {
        out[ABSOLUTE_POS] = weights[(row - held.from) * dim + ABSOLUTE_POS % dim];
    }
}

/// The weighted sum or the maximum over the occurrences of each cell; `winners` gets the occurrence that won. Buffers behind the
/// first go on with what those before them found.
#[cube(launch)]
pub(in crate::rows) fn gather_pooled(
    weights: &Tensor<f32>,
    packed: &Tensor<i32>,
    out: &mut Tensor<f32>,
    winners: &mut Tensor<i32>,
    parts: Parts,
    leaf: Leaf,
    held: Held,
    length: usize,
    #[comptime] further: bool,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let dim = leaf.dim;
    let cell = ABSOLUTE_POS / dim;
    let d = ABSOLUTE_POS % dim;
    let start = packed[parts.starts + cell] as usize;
    let end = packed[parts.starts + cell + 1] as usize;
    let mut sum = 0.0f32;
    let mut winner = (-1i32).runtime();
    if comptime!(further) {
        sum = out[ABSOLUTE_POS];
        winner = winners[ABSOLUTE_POS];
    }
    if packed[parts.maxima + cell % leaf.count] == 1 {
        for at in start..end {
            let row = packed[parts.rows + at] as usize;
            if row >= held.from && row < held.to {
                let value = weights[(row - held.from) * dim + d];
                // Of equals the first wins, whichever buffer holds it.
                let before = value == sum && (at as i32) < winner;
                if winner < 0 || value > sum || before {
                    sum = value;
                    winner = at as i32;
                }
            }
        }
    } else {
        for at in start..end {
            let row = packed[parts.rows + at] as usize;
            if row >= held.from && row < held.to {
                let share = f32::reinterpret(packed[parts.shares + at]);
                sum += share * weights[(row - held.from) * dim + d];
            }
        }
    }
    out[ABSOLUTE_POS] = sum;
    winners[ABSOLUTE_POS] = winner;
}

/// The sum of squares of the occurrences of each cell, each by its share; of a maximum its square, which stands in `vectors`.
#[cube(launch)]
#[allow(clippy::too_many_arguments, reason = "what a sum over occurrences reads")]
pub(in crate::rows) fn gather_squares(
    weights: &Tensor<f32>,
    packed: &Tensor<i32>,
    vectors: &Tensor<f32>,
    out: &mut Tensor<f32>,
    parts: Parts,
    held: Held,
    count: usize,
    dim: usize,
    length: usize,
    #[comptime] further: bool,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let cell = ABSOLUTE_POS / dim;
    let d = ABSOLUTE_POS % dim;
    let start = packed[parts.starts + cell] as usize;
    let end = packed[parts.starts + cell + 1] as usize;
    let mut sum = 0.0f32;
    if packed[parts.maxima + cell % count] == 1 {
        sum = vectors[ABSOLUTE_POS] * vectors[ABSOLUTE_POS];
    } else {
        if comptime!(further) {
            sum = out[ABSOLUTE_POS];
        }
        for at in start..end {
            let row = packed[parts.rows + at] as usize;
            if row >= held.from && row < held.to {
                let share = f32::reinterpret(packed[parts.shares + at]);
                let value = share * weights[(row - held.from) * dim + d];
                sum += value * value;
            }
        }
    }
    out[ABSOLUTE_POS] = sum;
}
