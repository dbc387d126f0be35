//! The pair term over slices of host memory.
#![allow(unsafe_code, reason = "one output buffer that is not zeroed first")]

use std::mem::MaybeUninit;

use burn::backend::{Flex, TensorMetadata};
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::{PairOps, Pairs};
use crate::dense::{Flat, contiguous, values};
use crate::fresh::Fresh;
use crate::vectorized;

/// Batch rows that one task takes.
const ROWS_A_TASK: usize = 64;

/// Sums, and sums of squares, of a row's vectors, number by number.
#[inline(always)]
fn sum_fields(row: &[f32], sum: &mut [f32], squares: &mut [f32]) {
    sum.fill(0.0);
    squares.fill(0.0);
    for vector in row.chunks_exact(sum.len()) {
        for ((s, q), v) in sum.iter_mut().zip(squares.iter_mut()).zip(vector) {
            *s += v;
            *q += v * v;
        }
    }
}

#[inline(always)]
fn term(row: &[f32], sum: &mut [f32], squares: &mut [f32]) -> f32 {
    sum_fields(row, sum, squares);
    0.5 * sum.iter().zip(squares).map(|(s, q)| s * s - *q).sum::<f32>()
}

/// `∂/∂v_i = Σ_j v_j - v_i`, times the gradient of the term.
#[inline(always)]
fn back(row: &[f32], gradient: f32, sum: &mut [f32], squares: &mut [f32], to: &mut [MaybeUninit<f32>]) {
    sum_fields(row, sum, squares);
    for (vector, to) in row.chunks_exact(sum.len()).zip(to.chunks_exact_mut(sum.len())) {
        for ((s, v), to) in sum.iter().zip(vector).zip(to) {
            to.write(gradient * (s - v));
        }
    }
}

/// [`term`] of every row; always inlined, as a closure of its length would not be, into what may use wide vectors.
#[inline(always)]
fn terms(rows: &[f32], width: usize, sum: &mut [f32], squares: &mut [f32], out: &mut [f32]) {
    for (out, row) in out.iter_mut().zip(rows.chunks_exact(width)) {
        *out = term(row, sum, squares);
    }
}

/// [`back`] of every row.
#[inline(always)]
fn backs(
    rows: &[f32],
    width: usize,
    gradients: &[f32],
    sum: &mut [f32],
    squares: &mut [f32],
    to: &mut [MaybeUninit<f32>],
) {
    for ((to, row), gradient) in to.chunks_exact_mut(width).zip(rows.chunks_exact(width)).zip(gradients) {
        back(row, *gradient, sum, squares, to);
    }
}

impl PairOps for Flex {
    fn pair_term(vectors: Flat) -> Flat {
        Self::terms(&contiguous(vectors)).0
    }
}

impl Pairs for Flex {
    fn plain(vectors: Flat) -> Flat {
        contiguous(vectors)
    }

    fn terms(vectors: &Flat) -> (Flat, Option<Flat>) {
        let [rows, fields, dim] = [vectors.shape()[0], vectors.shape()[1], vectors.shape()[2]];
        let width = (fields * dim).max(1);
        let mut out = vec![0.0; rows];
        out.par_chunks_mut(ROWS_A_TASK).zip(values(vectors).par_chunks(width * ROWS_A_TASK)).for_each(|(out, rows)| {
            let (mut sum, mut squares) = (vec![0.0; dim], vec![0.0; dim]);
            vectorized!(terms(rows, width, &mut sum, &mut squares, out));
        });
        // The way back sums again, which is less than to read sums.
        (Flat::from_data(TensorData::new(out, [rows, 1])), None)
    }

    fn back(vectors: Flat, _: Option<Flat>, gradient: Flat) -> Flat {
        let gradient = contiguous(gradient);
        let [rows, fields, dim] = [vectors.shape()[0], vectors.shape()[1], vectors.shape()[2]];
        let width = (fields * dim).max(1);
        let (numbers, gradients) = (values(&vectors), values(&gradient));
        let mut to = Fresh::new(numbers.len());
        assert!(numbers.len() == rows * fields * dim && gradients.len() == rows, "the gradient is not [{rows}, 1]");
        if fields * dim > 0 {
            to.0.par_chunks_mut(width * ROWS_A_TASK)
                .zip(numbers.par_chunks(width * ROWS_A_TASK))
                .zip(gradients.par_chunks(ROWS_A_TASK))
                .for_each(|((to, rows), gradients)| {
                    let (mut sum, mut squares) = (vec![0.0; dim], vec![0.0; dim]);
                    vectorized!(backs(rows, width, gradients, &mut sum, &mut squares, to));
                });
        }
        // SAFETY: the tasks cover all rows, and `back` writes every number of its row.
        let to = unsafe { to.written() };
        Flat::from_data(TensorData::new(to, [rows, fields, dim]))
    }
}
