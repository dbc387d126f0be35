//! Steps of the optimisers on touched rows.

use cubecl::prelude::*;

use super::facts::{Held, Numbers, Parts};
use super::sum::total;

#[cube]
fn sign(x: f32) -> f32 {
    select(x > 0.0f32, 1.0f32, select(x < 0.0f32, -1.0f32, 0.0f32))
}

#[cube]
fn magnitude(x: f32) -> f32 {
    select(x < 0.0f32, -x, x)
}

#[cube]
fn at_least(x: f32, floor: f32) -> f32 {
    select(x < floor, floor, x)
}

#[cube]
fn shrink(w: f32, by: f32) -> f32 {
    sign(w) * at_least(magnitude(w) - by, 0.0f32)
}

/// The gradient with penalties; `by_sum` rules work on the sum over the batch and have penalties of their own.
#[cube]
fn penalised(g: f32, w: f32, seen: f32, numbers: &Numbers, #[comptime] by_sum: bool) -> f32 {
    let mut gradient = g;
    if comptime!(by_sum) {
        gradient *= numbers.batch_rows;
    } else {
        gradient += numbers.l2 * w + numbers.l1 * sign(w);
    }
    gradient + numbers.mba_l2 / at_least(seen, 1.0f32) * w
}

/// Once a touched row: how long it rested and how often it was seen, into `visits`; its counters; row-wise Adagrad's
/// one accumulator.
#[cube(launch)]
pub(in crate::rows) fn visit(
    weights: &Tensor<f32>,
    state: &mut Tensor<f32>,
    counters: &mut Tensor<i32>,
    sums: &Tensor<f32>,
    packed: &Tensor<i32>,
    frequency: &Tensor<i32>,
    scale: &Tensor<f32>,
    visits: &mut Tensor<f32>,
    numbers: Numbers,
    parts: Parts,
    held: Held,
    dim: usize,
    length: usize,
    #[comptime] counted: bool,
    #[comptime] row_wise: bool,
    #[comptime] folded: bool,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let row = packed[parts.unique + ABSOLUTE_POS] as usize;
    if row < held.from || row >= held.to {
        terminate!();
    }
    let place = row - held.from;
    let first = packed[parts.row_pieces + ABSOLUTE_POS] as usize;
    let last = packed[parts.row_pieces + ABSOLUTE_POS + 1] as usize;
    let touches = packed[parts.pieces + last] - packed[parts.pieces + first];
    let count = counters[row * 2] + touches;
    let previous = counters[row * 2 + 1];
    let mut rested = 0i32;
    if previous > 0 && numbers.step > previous + 1 {
        rested = numbers.step - previous - 1;
    }
    let mut seen = f32::cast_from(count);
    if comptime!(counted) {
        let known = frequency[row];
        if known > 0 {
            seen = f32::cast_from(known);
        }
    }
    visits[ABSOLUTE_POS * 2] = f32::cast_from(rested);
    visits[ABSOLUTE_POS * 2 + 1] = seen;
    counters[row * 2] = count;
    counters[row * 2 + 1] = numbers.step;
    if comptime!(row_wise) {
        let mut squares = 0.0f32;
        for d in 0..dim {
            let sum = total(sums, packed, &parts, dim, ABSOLUTE_POS, d, folded) * scale[0];
            let g = penalised(sum, weights[place * dim + d], seen, &numbers, false);
            squares += g * g;
        }
        state[place] += squares / f32::cast_from(dim);
    }
}

/// One optimiser step on every touched row, in place.
#[cube(launch)]
pub(in crate::rows) fn step_rows(
    weights: &mut Tensor<f32>,
    state: &mut Tensor<f32>,
    sums: &Tensor<f32>,
    packed: &Tensor<i32>,
    scale: &Tensor<f32>,
    visits: &Tensor<f32>,
    numbers: Numbers,
    parts: Parts,
    held: Held,
    dim: usize,
    length: usize,
    #[comptime] rule: u32,
    #[comptime] folded: bool,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let touched = ABSOLUTE_POS / dim;
    let d = ABSOLUTE_POS % dim;
    let own = packed[parts.unique + touched] as usize;
    if own < held.from || own >= held.to {
        terminate!();
    }
    let row = own - held.from;
    let at = row * dim + d;
    let w = weights[at];
    let sum = total(sums, packed, &parts, dim, touched, d, folded) * scale[0];
    let g = penalised(sum, w, visits[touched * 2 + 1], &numbers, comptime!(rule >= crate::rule::FTRL));
    if comptime!(rule == crate::rule::SGD) {
        weights[at] = w - numbers.rate * g;
    } else if comptime!(rule == crate::rule::ADAGRAD) {
        let squares = state[at] + g * g;
        state[at] = squares;
        weights[at] = w - numbers.rate * g / (squares.sqrt() + numbers.epsilon);
    } else if comptime!(rule == crate::rule::ROW_WISE) {
        weights[at] = w - numbers.rate / (state[row].sqrt() + numbers.epsilon) * g;
    } else {
        let one = row * dim * 2 + d;
        if comptime!(rule == crate::rule::ADAM) {
            let m = numbers.beta_1 * state[one] + (1.0f32 - numbers.beta_1) * g;
            let v = numbers.beta_2 * state[one + dim] + (1.0f32 - numbers.beta_2) * g * g;
            state[one] = m;
            state[one + dim] = v;
            weights[at] = w - numbers.rate * numbers.correction * m / (v.sqrt() + numbers.epsilon);
        } else if comptime!(rule == crate::rule::FTRL) {
            let n = state[one + dim];
            let squares = n + g * g;
            let sigma = (squares.sqrt() - n.sqrt()) / numbers.base_rate;
            let z = state[one] + (g - sigma * w);
            state[one] = z;
            state[one + dim] = squares;
            let curvature = (numbers.beta + squares.sqrt()) / numbers.base_rate + numbers.l2;
            weights[at] = select(magnitude(z) <= numbers.l1, 0.0f32, -(z - sign(z) * numbers.l1) / curvature);
        } else if comptime!(rule == crate::rule::FOBOS) {
            let n = state[at];
            let rested = visits[touched * 2];
            let resting = numbers.rate / (numbers.beta + n.sqrt());
            let mut start = shrink(w, rested * resting * numbers.l1);
            if numbers.l2 > 0.0f32 {
                start *= (1.0f32 + resting * numbers.l2).powf(-rested);
            }
            let squares = n + g * g;
            state[at] = squares;
            let moving = numbers.rate / (numbers.beta + squares.sqrt());
            weights[at] = shrink(start - moving * g, moving * numbers.l1) / (1.0f32 + moving * numbers.l2);
        } else {
            let sum = state[one] + g;
            state[one] = sum;
            let mean = sum / f32::cast_from(numbers.step);
            let root = f32::cast_from(numbers.step).sqrt() * numbers.base_rate;
            weights[at] = state[one + dim] - root * shrink(mean, numbers.l1) / (1.0f32 + numbers.l2 * root);
        }
    }
}

/// FOBOS's group penalty: once a touched row, before its step for those it rested, and behind it.
#[cube(launch)]
pub(in crate::rows) fn group_rows(
    weights: &mut Tensor<f32>,
    state: &Tensor<f32>,
    packed: &Tensor<i32>,
    visits: &Tensor<f32>,
    numbers: Numbers,
    parts: Parts,
    held: Held,
    dim: usize,
    length: usize,
    #[comptime] before: bool,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let row = packed[parts.unique + ABSOLUTE_POS] as usize;
    if row < held.from || row >= held.to {
        terminate!();
    }
    let first = (row - held.from) * dim;
    let mut steps = 1.0f32;
    if comptime!(before) {
        steps = visits[ABSOLUTE_POS * 2];
    }
    let mut squares = 0.0f32;
    let mut mean = 0.0f32;
    for d in 0..dim {
        squares += weights[first + d] * weights[first + d];
        mean += state[first + d];
    }
    mean /= f32::cast_from(dim);
    let norm = squares.sqrt();
    let rate = numbers.rate / (numbers.beta + mean.sqrt());
    let by = steps * rate * numbers.l21;
    let mut scale = 0.0f32;
    if by == 0.0f32 {
        scale = 1.0f32;
    } else if norm > by {
        scale = 1.0f32 - by / norm;
    }
    for d in 0..dim {
        weights[first + d] *= scale;
    }
}
