//! What attention is made of, as kernels: one thread a number.
#![allow(
    clippy::collapsible_if,
    reason = "a condition that a kernel is made for stands apart from one that its threads ask"
)]

use cubecl::prelude::*;

/// `keys ⊙ query` of the position's row.
#[cube(launch)]
pub(super) fn mul(
    keys: &Tensor<f32>,
    query: &Tensor<f32>,
    owners: &Tensor<i32>,
    out: &mut Tensor<f32>,
    length: usize,
    width: usize,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let row = owners[ABSOLUTE_POS / width] as usize;
    out[ABSOLUTE_POS] = keys[ABSOLUTE_POS] * query[row * width + ABSOLUTE_POS % width];
}

/// `z + u` of the position's row.
#[cube(launch)]
pub(super) fn add(
    z: &Tensor<f32>,
    u: &Tensor<f32>,
    owners: &Tensor<i32>,
    out: &mut Tensor<f32>,
    length: usize,
    width: usize,
    #[comptime] rectify: bool,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let row = owners[ABSOLUTE_POS / width] as usize;
    let mut sum = z[ABSOLUTE_POS] + u[row * width + ABSOLUTE_POS % width];
    if comptime!(rectify) {
        if sum < 0.0f32 {
            sum = 0.0f32;
        }
    }
    out[ABSOLUTE_POS] = sum;
}

/// The product of a position's keys with its row's gradient: one thread a position.
#[cube(launch)]
pub(super) fn dots(
    keys: &Tensor<f32>,
    gradient: &Tensor<f32>,
    owners: &Tensor<i32>,
    out: &mut Tensor<f32>,
    length: usize,
    width: usize,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let row = owners[ABSOLUTE_POS] as usize;
    let mut sum = 0.0f32;
    for d in 0..width {
        sum += keys[ABSOLUTE_POS * width + d] * gradient[row * width + d];
    }
    out[ABSOLUTE_POS] = sum;
}

/// A position's weight times its row's gradient.
#[cube(launch)]
pub(super) fn weigh_back(
    weights: &Tensor<f32>,
    gradient: &Tensor<f32>,
    owners: &Tensor<i32>,
    out: &mut Tensor<f32>,
    length: usize,
    width: usize,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let position = ABSOLUTE_POS / width;
    let row = owners[position] as usize;
    out[ABSOLUTE_POS] = weights[position] * gradient[row * width + ABSOLUTE_POS % width];
}

/// The sums of `a ⊙ b` over the positions of each row.
#[cube(launch)]
pub(super) fn sum_of_products(
    a: &Tensor<f32>,
    b: &Tensor<f32>,
    offsets: &Tensor<i32>,
    out: &mut Tensor<f32>,
    width: usize,
    length: usize,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let (row, column) = (ABSOLUTE_POS / width, ABSOLUTE_POS % width);
    let (first, last) = (offsets[row] as usize, offsets[row + 1] as usize);
    let mut sum = 0.0f32;
    for at in first..last {
        sum += a[at * width + column] * b[at * width + column];
    }
    out[ABSOLUTE_POS] = sum;
}

/// The sums of keys, each by its weight, over the positions of each row.
#[cube(launch)]
pub(super) fn weigh(
    keys: &Tensor<f32>,
    weights: &Tensor<f32>,
    offsets: &Tensor<i32>,
    out: &mut Tensor<f32>,
    width: usize,
    length: usize,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let (row, column) = (ABSOLUTE_POS / width, ABSOLUTE_POS % width);
    let (first, last) = (offsets[row] as usize, offsets[row + 1] as usize);
    let mut sum = 0.0f32;
    for at in first..last {
        sum += weights[at] * keys[at * width + column];
    }
    out[ABSOLUTE_POS] = sum;
}

/// The softmax of scores over the positions of each row: one thread a row.
#[cube(launch)]
pub(super) fn shares(scores: &Tensor<f32>, offsets: &Tensor<i32>, out: &mut Tensor<f32>, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let (first, last) = (offsets[ABSOLUTE_POS] as usize, offsets[ABSOLUTE_POS + 1] as usize);
    let mut most = 0.0f32;
    for at in first..last {
        let score = scores[at];
        if at == first || score > most {
            most = score;
        }
    }
    let mut sum = 0.0f32;
    for at in first..last {
        let power = (scores[at] - most).exp();
        out[at] = power;
        sum += power;
    }
    for at in first..last {
        out[at] /= sum;
    }
}

/// The way back to the scores: one thread a row.
#[cube(launch)]
pub(super) fn shares_back(
    shares: &Tensor<f32>,
    gradient: &Tensor<f32>,
    offsets: &Tensor<i32>,
    out: &mut Tensor<f32>,
    length: usize,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let (first, last) = (offsets[ABSOLUTE_POS] as usize, offsets[ABSOLUTE_POS + 1] as usize);
    let mut mean = 0.0f32;
    for at in first..last {
        mean += shares[at] * gradient[at];
    }
    for at in first..last {
        out[at] = shares[at] * (gradient[at] - mean);
    }
}
