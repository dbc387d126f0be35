//! The kernels: one thread a number, lanes over a row's columns; a row with very many occurrences is summed in
//! pieces, so that no thread walks a long list. No atomics: two runs give the same bits.

use cubecl::prelude::*;

/// What one step's update needs to know; see [`super::RowStep`].
#[derive(CubeLaunch, CubeType)]
pub(super) struct Numbers {
    pub(super) rate: f32,
    pub(super) base_rate: f32,
    pub(super) beta_1: f32,
    pub(super) beta_2: f32,
    pub(super) epsilon: f32,
    pub(super) beta: f32,
    pub(super) l1: f32,
    pub(super) l21: f32,
    pub(super) l2: f32,
    pub(super) mba_l2: f32,
    pub(super) correction: f32,
    pub(super) batch_rows: f32,
    pub(super) step: i32,
}

/// Where the parts of a packed batch start; see [`super::Plan`].
#[derive(CubeLaunch, CubeType)]
pub(super) struct Parts {
    pub(super) rows: usize,
    pub(super) starts: usize,
    pub(super) places: usize,
    pub(super) shares: usize,
    pub(super) maxima: usize,
    pub(super) order: usize,
    pub(super) pieces: usize,
    pub(super) row_pieces: usize,
    pub(super) unique: usize,
}

/// Where a table's slots stand in its leaf, and how wide its rows are.
#[derive(CubeLaunch, CubeType)]
pub(super) struct Leaf {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) total: usize,
    pub(super) squares: usize,
    pub(super) dim: usize,
    /// Cells of all rows: behind them stand the positions of sequences.
    pub(super) cells: usize,
}

/// `out[cell, d] = weights[row of cell, d]`.
#[cube(launch)]
pub(super) fn gather_one(
    weights: &Tensor<f32>,
    packed: &Tensor<i32>,
    out: &mut Tensor<f32>,
    parts: Parts,
    dim: usize,
    length: usize,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let row = packed[parts.rows + ABSOLUTE_POS / dim] as usize;
    out[ABSOLUTE_POS] = weights[row * dim + ABSOLUTE_POS % dim];
}

/// The weighted sum or the maximum over the occurrences of each cell; `winners` gets the occurrence that won.
#[cube(launch)]
pub(super) fn gather_pooled(
    weights: &Tensor<f32>,
    packed: &Tensor<i32>,
    out: &mut Tensor<f32>,
    winners: &mut Tensor<i32>,
    parts: Parts,
    leaf: Leaf,
    length: usize,
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
    if packed[parts.maxima + cell % leaf.count] == 1 {
        for at in start..end {
            let value = weights[packed[parts.rows + at] as usize * dim + d];
            if winner < 0 || value > sum {
                sum = value;
                winner = at as i32;
            }
        }
    } else {
        for at in start..end {
            let share = f32::reinterpret(packed[parts.shares + at]);
            sum += share * weights[packed[parts.rows + at] as usize * dim + d];
        }
    }
    out[ABSOLUTE_POS] = sum;
    winners[ABSOLUTE_POS] = winner;
}

/// The sum of squares of the occurrences of each cell, each by its share; of a maximum its square.
#[cube(launch)]
pub(super) fn gather_squares(
    weights: &Tensor<f32>,
    packed: &Tensor<i32>,
    out: &mut Tensor<f32>,
    parts: Parts,
    count: usize,
    dim: usize,
    length: usize,
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
        for at in start..end {
            let value = weights[packed[parts.rows + at] as usize * dim + d];
            if at == start || value > sum {
                sum = value;
            }
        }
        sum *= sum;
    } else {
        for at in start..end {
            let share = f32::reinterpret(packed[parts.shares + at]);
            let value = share * weights[packed[parts.rows + at] as usize * dim + d];
            sum += value * value;
        }
    }
    out[ABSOLUTE_POS] = sum;
}

/// The sum of the gradients over the occurrences of each piece: of the leaf's cells, and of the positions of sequences behind them.
#[cube(launch)]
#[allow(clippy::too_many_arguments, reason = "what a sum over occurrences reads")]
pub(super) fn sum_pieces(
    gradient: &Tensor<f32>,
    tail: &Tensor<f32>,
    weights: &Tensor<f32>,
    packed: &Tensor<i32>,
    winners: &Tensor<i32>,
    sums: &mut Tensor<f32>,
    parts: Parts,
    leaf: Leaf,
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
                    let weight = weights[packed[parts.rows + occurrence as usize] as usize * dim + d];
                    sum += 2.0f32 * share * share * weight * gradient[cell * dim + d];
                }
            }
        } else if comptime!(from_tail) {
            sum += share * tail[(place - leaf.cells) * dim + d];
        }
    }
    sums[ABSOLUTE_POS] = sum;
}

/// The gradient of one number of a touched row: its pieces added up.
#[cube]
fn total(sums: &Tensor<f32>, packed: &Tensor<i32>, row_pieces: usize, dim: usize, touched: usize, d: usize) -> f32 {
    let first = packed[row_pieces + touched] as usize;
    let last = packed[row_pieces + touched + 1] as usize;
    let mut sum = 0.0f32;
    for piece in first..last {
        sum += sums[piece * dim + d];
    }
    sum
}

/// The squares of the touched rows' gradients.
#[cube(launch)]
pub(super) fn square(
    sums: &Tensor<f32>,
    packed: &Tensor<i32>,
    squares: &mut Tensor<f32>,
    parts: Parts,
    dim: usize,
    length: usize,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let sum = total(sums, packed, parts.row_pieces, dim, ABSOLUTE_POS / dim, ABSOLUTE_POS % dim);
    squares[ABSOLUTE_POS] = sum * sum;
}

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
pub(super) fn visit(
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
    dim: usize,
    length: usize,
    #[comptime] counted: bool,
    #[comptime] row_wise: bool,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let row = packed[parts.unique + ABSOLUTE_POS] as usize;
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
            let sum = total(sums, packed, parts.row_pieces, dim, ABSOLUTE_POS, d) * scale[0];
            let g = penalised(sum, weights[row * dim + d], seen, &numbers, false);
            squares += g * g;
        }
        state[row] += squares / f32::cast_from(dim);
    }
}

/// One optimiser step on every touched row, in place.
#[cube(launch)]
pub(super) fn step_rows(
    weights: &mut Tensor<f32>,
    state: &mut Tensor<f32>,
    sums: &Tensor<f32>,
    packed: &Tensor<i32>,
    scale: &Tensor<f32>,
    visits: &Tensor<f32>,
    numbers: Numbers,
    parts: Parts,
    dim: usize,
    length: usize,
    #[comptime] rule: u32,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let touched = ABSOLUTE_POS / dim;
    let d = ABSOLUTE_POS % dim;
    let row = packed[parts.unique + touched] as usize;
    let at = row * dim + d;
    let w = weights[at];
    let sum = total(sums, packed, parts.row_pieces, dim, touched, d) * scale[0];
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
pub(super) fn group_rows(
    weights: &mut Tensor<f32>,
    state: &Tensor<f32>,
    packed: &Tensor<i32>,
    visits: &Tensor<f32>,
    numbers: Numbers,
    parts: Parts,
    dim: usize,
    length: usize,
    #[comptime] before: bool,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let first = packed[parts.unique + ABSOLUTE_POS] as usize * dim;
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

/// `to[at..] = from`.
#[cube(launch)]
pub(super) fn copy_floats(from: &Tensor<f32>, to: &mut Tensor<f32>, at: usize, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    to[at + ABSOLUTE_POS] = from[ABSOLUTE_POS];
}

/// `to[at..] = from`.
#[cube(launch)]
pub(super) fn copy_ints(from: &Tensor<i32>, to: &mut Tensor<i32>, at: usize, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    to[at + ABSOLUTE_POS] = from[ABSOLUTE_POS];
}
