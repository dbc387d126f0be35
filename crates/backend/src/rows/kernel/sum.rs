//! Gradients of touched rows, summed over their occurrences.

use cubecl::prelude::*;

use super::facts::{Held, Leaf, Parts};

/// The sum of the gradients over the occurrences of each piece: of the leaf's cells, and of the positions of sequences behind them.
#[cube(launch)]
#[allow(clippy::too_many_arguments, reason = "what a sum over occurrences reads")]
#[allow(
    clippy::collapsible_if,
    reason = "a condition that a kernel is made for stands apart from one that its threads ask"
)]
pub(in crate::rows) fn sum_pieces(
    gradient: &Tensor<f32>,
    tail: &Tensor<f32>,
    weights: &Tensor<f32>,
    packed: &Tensor<i32>,
    winners: &Tensor<i32>,
    sums: &mut Tensor<f32>,
    parts: Parts,
    leaf: Leaf,
    held: Held,
    length: usize,
    #[comptime] pooled: bool,
    #[comptime] squares: bool,
    #[comptime] from_leaf: bool,
    #[comptime] from_tail: bool,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let dim = leaf.dim;
    let piece = ABSOLUTE_POS / dim;
    let d = ABSOLUTE_POS % dim;
    let start = packed[parts.pieces + piece] as usize;
    let end = packed[parts.pieces + piece + 1] as usize;
    // A piece is of one row; where weights are read, that of another buffer is left to it.
    let mut row = 0usize.runtime();
    if comptime!(squares) {
        row = packed[parts.rows + packed[parts.order + start] as usize] as usize;
        if row < held.from || row >= held.to {
            terminate!();
        }
    }
    let mut sum = 0.0f32;
    for at in start..end {
        let occurrence = packed[parts.order + at];
        let mut place = occurrence as usize;
        let mut share = 1.0f32;
        if comptime!(pooled) {
            place = packed[parts.places + occurrence as usize] as usize;
            share = f32::reinterpret(packed[parts.shares + occurrence as usize]);
            if place < leaf.cells {
                let winner = winners[place * dim + d];
                if winner >= 0 {
                    share = select(winner == occurrence, 1.0f32, 0.0f32);
                }
            }
        }
        if place < leaf.cells {
            if comptime!(from_leaf) {
                let cell = place / leaf.count * leaf.total + leaf.first + place % leaf.count;
                sum += share * gradient[cell * dim + d];
                if comptime!(squares) {
                    // d (share w)² / d w
                    let cell = place / leaf.count * leaf.total + leaf.squares + place % leaf.count;
                    let weight = weights[(row - held.from) * dim + d];
                    sum += 2.0f32 * share * share * weight * gradient[cell * dim + d];
                }
            }
        } else if comptime!(from_tail) {
            sum += share * tail[(place - leaf.cells) * dim + d];
        }
    }
    sums[ABSOLUTE_POS] = sum;
}

/// Every [`crate::FOLD`] pieces added up, behind the pieces: whose they are is asked where they are read.
#[cube(launch)]
pub(in crate::rows) fn fold_pieces(sums: &mut Tensor<f32>, pieces: usize, dim: usize, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let first = ABSOLUTE_POS / dim * comptime!(crate::FOLD);
    let d = ABSOLUTE_POS % dim;
    let mut last = first + comptime!(crate::FOLD);
    if last > pieces {
        last = pieces;
    }
    let mut sum = 0.0f32;
    for piece in first..last {
        sum += sums[piece * dim + d];
    }
    sums[pieces * dim + ABSOLUTE_POS] = sum;
}

/// The gradient of one number of a touched row: its pieces added up, those that were folded by their folds.
#[cube]
#[allow(clippy::manual_div_ceil, reason = "kernels have no other")]
pub(super) fn total(
    sums: &Tensor<f32>,
    packed: &Tensor<i32>,
    parts: &Parts,
    dim: usize,
    touched: usize,
    d: usize,
    #[comptime] folded: bool,
) -> f32 {
    let first = packed[parts.row_pieces + touched] as usize;
    let last = packed[parts.row_pieces + touched + 1] as usize;
    let mut sum = 0.0f32;
    if comptime!(folded) {
        let fold = comptime!(crate::FOLD);
        let from = (first + fold - 1) / fold;
        let to = last / fold;
        if from < to {
            for piece in first..from * fold {
                sum += sums[piece * dim + d];
            }
            for group in from..to {
                sum += sums[(parts.folds + group) * dim + d];
            }
            for piece in to * fold..last {
                sum += sums[piece * dim + d];
            }
        } else {
            for piece in first..last {
                sum += sums[piece * dim + d];
            }
        }
    } else {
        for piece in first..last {
            sum += sums[piece * dim + d];
        }
    }
    sum
}

/// The squares of the touched rows' gradients.
#[cube(launch)]
pub(in crate::rows) fn square(
    sums: &Tensor<f32>,
    packed: &Tensor<i32>,
    squares: &mut Tensor<f32>,
    parts: Parts,
    dim: usize,
    length: usize,
    #[comptime] folded: bool,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let sum = total(sums, packed, &parts, dim, ABSOLUTE_POS / dim, ABSOLUTE_POS % dim, folded);
    squares[ABSOLUTE_POS] = sum * sum;
}
