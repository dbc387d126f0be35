//! The products of a layer as one kernel: tiles of both operands are brought near step by step, each thread sums its square of
//! the tile in registers. What stands around a product is done as its operands are read and its sums are written: inputs that
//! stand side by side, the mask of a ReLU, bias, residual and activation, the sums over rows that are the bias's gradient. No atomics; sums are taken in one order.
#![allow(
    clippy::collapsible_if,
    reason = "a condition that a kernel is made for stands apart from one that its threads ask"
)]

use cubecl::prelude::*;

use super::tile::{Form, Tile};

/// Four numbers.
type Four = Vector<f32, Const<4>>;

/// Groups along a dimension that every device takes; what is beyond goes along another one.
pub(super) const MOST_GROUPS: usize = 65_535;

/// What a kernel is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Made {
    pub(super) form: Form,
    pub(super) tile: Tile,
    /// Inputs stand in two tensors side by side.
    pub(super) beside: bool,
    /// The output was cut at zero.
    pub(super) relu: bool,
    /// A bias is added; of Weights, its gradient is summed too.
    pub(super) bias: bool,
    pub(super) residual: bool,
    /// A row of the left operand is the outer product of a row of either tensor.
    pub(super) outer: bool,
}

/// Sizes of a product and of what it reads.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
    /// Inputs in the first tensor, and in both; of outer products, the width of their second factor.
    pub(super) first: usize,
    pub(super) inputs: usize,
    /// Row of the weight at which the first column of the way back to inputs stands.
    pub(super) above: usize,
    /// Terms of a part of the sum.
    pub(super) span: usize,
}

/// Input `at` of `row`.
#[cube]
fn input(x: &Tensor<f32>, more: &Tensor<f32>, row: usize, at: usize, sizes: &Sizes, #[comptime] made: Made) -> f32 {
    if comptime!(made.outer) {
        let wide = sizes.inputs / sizes.first;
        x[row * wide + at / sizes.first] * more[row * sizes.first + at % sizes.first]
    } else if comptime!(made.beside) {
        let mut value = 0.0f32;
        if at < sizes.first {
            value = x[row * sizes.first + at];
        }
        if at >= sizes.first {
            value = more[row * (sizes.inputs - sizes.first) + at - sizes.first];
        }
        value
    } else {
        x[row * sizes.inputs + at]
    }
}

/// A number of the output's gradient, before the activation.
#[cube]
fn pulled(gradient: &Tensor<f32>, output: &Tensor<f32>, place: usize, #[comptime] made: Made) -> f32 {
    let mut value = gradient[place];
    if comptime!(made.relu) {
        value = select(output[place] > 0.0f32, value, 0.0f32);
    }
    value
}

/// The left operand at row `i`, term `at`.
#[cube]
fn left(
    a: &Tensor<f32>,
    too: &Tensor<f32>,
    i: usize,
    at: usize,
    end: usize,
    sizes: &Sizes,
    #[comptime] made: Made,
) -> f32 {
    let mut value = 0.0f32;
    if i < sizes.m && at < end {
        if comptime!(made.form == Form::Forward || made.outer && made.form != Form::Weights) {
            value = input(a, too, i, at, sizes, made);
        } else if comptime!(made.form == Form::Inputs) {
            value = pulled(a, too, i * sizes.k + at, made);
        } else {
            value = input(a, too, at, i, sizes, made);
        }
    }
    value
}

/// The right operand at term `at`, column `j`.
#[cube]
fn right(
    b: &Tensor<f32>,
    too: &Tensor<f32>,
    at: usize,
    j: usize,
    end: usize,
    sizes: &Sizes,
    #[comptime] made: Made,
) -> f32 {
    let mut value = 0.0f32;
    if j < sizes.n && at < end {
        if comptime!(made.form == Form::Forward) {
            value = b[at * sizes.n + j];
        } else if comptime!(made.form == Form::Inputs) {
            value = b[(sizes.above + j) * sizes.k + at];
        } else if comptime!(made.form == Form::Across) {
            let outputs = sizes.first;
            value = b[(at / outputs * sizes.n + j) * outputs + at % outputs];
        } else {
            value = pulled(b, too, at * sizes.n + j, made);
        }
    }
    value
}

/// A product. The tensors of each form, those that a form lacks not being read:
///
/// | form | a | a_too | b | b_too | bias |
/// |---|---|---|---|---|---|
/// | Forward | x | more | W | residual | b |
/// | Inputs | gradient | output | W | | |
/// | Weights | x | more | gradient | output | |
///
/// Of outer products `x ⊗ y` of rows: Forward and Weights with y as more; and the ways back to x, which
/// is Inputs of `y ⊗ gradient`, and to y, which is Across of `x ⊗ gradient`.
#[cube(launch)]
#[allow(clippy::too_many_arguments, reason = "the operands of a layer")]
pub(super) fn layer_product(
    a: &Tensor<f32>,
    a_too: &Tensor<f32>,
    b: &Tensor<f32>,
    b_too: &Tensor<f32>,
    bias: &Tensor<f32>,
    out: &mut Tensor<f32>,
    sizes: Sizes,
    #[comptime] made: Made,
) {
    let tile = comptime!(made.tile);
    let wide_m = comptime!(tile.m / 4);
    let wide_n = comptime!(tile.n / 4);
    // A vector more than a row has, so that threads that write below each other meet other banks.
    let apart_m = comptime!(wide_m + 1);
    let apart_n = comptime!(wide_n + 1);
    let mut near_a = Shared::<[Four]>::new_slice(comptime!(tile.k * apart_m));
    let mut near_b = Shared::<[Four]>::new_slice(comptime!(tile.k * apart_n));
    let units_m = comptime!(tile.m / tile.each_m);
    let units_n = comptime!(tile.n / tile.each_n);
    let fours_m = comptime!(tile.each_m / 4);
    let fours_n = comptime!(tile.each_n / 4);
    let threads = comptime!(tile.threads());

    let unit = UNIT_POS as usize;
    let (own_m, own_n) = (unit / units_n, unit % units_n);
    let column = CUBE_POS_Y as usize * tile.n;
    // The third dimension has the parts of a sum, or rows beyond what the first one holds.
    let mut row = CUBE_POS_X as usize * tile.m;
    let mut from = 0usize.runtime();
    if comptime!(made.form == Form::Weights) {
        from = CUBE_POS_Z as usize * sizes.span;
    } else {
        row += CUBE_POS_Z as usize * (MOST_GROUPS * tile.m);
    }
    let mut end = from + sizes.span;
    if end > sizes.k {
        end = sizes.k;
    }

    let mut sums = Array::<Four>::new(comptime!(tile.each_m * fours_n));
    #[unroll]
    for at in 0..comptime!(tile.each_m * fours_n) {
        sums[at] = Four::new(0.0f32);
    }

    // The bias's gradient: sums over the right operand, by the first rows' groups alone.
    let sums_columns = comptime!(made.form == Form::Weights && made.bias);
    let mut below = Array::<Four>::new(fours_n);
    #[unroll]
    for at in 0..fours_n {
        below[at] = Four::new(0.0f32);
    }

    let mut first = from;
    while first < end {
        #[unroll]
        for turn in 0..comptime!(tile.k * wide_m / threads) {
            let task = turn * threads + unit;
            // Neighbours read along what is contiguous.
            let mut term = task % tile.k;
            let mut four = task / tile.k;
            if comptime!(made.form == Form::Weights) {
                term = task / wide_m;
                four = task % wide_m;
            }
            let mut values = Four::new(0.0f32);
            #[unroll]
            for lane in 0..4usize {
                values.insert(lane, left(a, a_too, row + four * 4 + lane, first + term, end, &sizes, made));
            }
            near_a[term * apart_m + four] = values;
        }
        #[unroll]
        for turn in 0..comptime!(tile.k * wide_n / threads) {
            let task = turn * threads + unit;
            let mut term = task / wide_n;
            let mut four = task % wide_n;
            if comptime!(made.form == Form::Inputs || made.form == Form::Across) {
                term = task % tile.k;
                four = task / tile.k;
            }
            let mut values = Four::new(0.0f32);
            #[unroll]
            for lane in 0..4usize {
                values.insert(lane, right(b, b_too, first + term, column + four * 4 + lane, end, &sizes, made));
            }
            near_b[term * apart_n + four] = values;
        }
        sync_cube();
        for term in 0..tile.k {
            let mut columns = Array::<Four>::new(fours_n);
            #[unroll]
            for j in 0..fours_n {
                columns[j] = near_b[term * apart_n + j * units_n + own_n];
                if sums_columns {
                    below[j] += columns[j];
                }
            }
            #[unroll]
            for i in 0..fours_m {
                let rows = near_a[term * apart_m + i * units_m + own_m];
                #[unroll]
                for lane in 0..4usize {
                    let value = Four::new(rows.extract(lane));
                    #[unroll]
                    for j in 0..fours_n {
                        let at = comptime!((i * 4 + lane) * fours_n + j);
                        sums[at] = fma(value, columns[j], sums[at]);
                    }
                }
            }
        }
        sync_cube();
        first += tile.k;
    }

    let mut part = 0usize.runtime();
    if comptime!(made.form == Form::Weights) {
        part = CUBE_POS_Z as usize * sizes.m;
        if comptime!(made.bias) {
            part += CUBE_POS_Z as usize;
        }
    }
    if sums_columns {
        if CUBE_POS_X == 0 && own_m == 0 {
            #[unroll]
            for j in 0..fours_n {
                #[unroll]
                for place in 0..4usize {
                    let at_column = column + (j * units_n + own_n) * 4 + place;
                    if at_column < sizes.n {
                        out[(part + sizes.m) * sizes.n + at_column] = below[j].extract(place);
                    }
                }
            }
        }
    }
    #[unroll]
    for i in 0..fours_m {
        #[unroll]
        for lane in 0..4usize {
            let at_row = row + (i * units_m + own_m) * 4 + lane;
            #[unroll]
            for j in 0..fours_n {
                let sum = sums[comptime!((i * 4 + lane) * fours_n + j)];
                #[unroll]
                for place in 0..4usize {
                    let at_column = column + (j * units_n + own_n) * 4 + place;
                    if at_row < sizes.m && at_column < sizes.n {
                        let to = at_row * sizes.n + at_column;
                        let mut value = sum.extract(place);
                        if comptime!(made.form == Form::Forward) {
                            if comptime!(made.bias) {
                                value += bias[at_column];
                            }
                            if comptime!(made.residual) {
                                value += b_too[to];
                            }
                            if comptime!(made.relu) {
                                // What is not a number stays so.
                                if value < 0.0f32 {
                                    value = 0.0f32;
                                }
                            }
                        }
                        out[part * sizes.n + to] = value;
                    }
                }
            }
        }
    }
}

/// A number of parts that are `length` numbers each, added in their order.
#[cube]
fn sum_of_parts(parts: &Tensor<f32>, at: usize, count: usize, length: usize) -> f32 {
    let mut sum = parts[at];
    for part in 1..count {
        sum += parts[part * length + at];
    }
    sum
}

/// The parts `[P, in + 1, out]` of the way back to weights, of which the first `inside` numbers are the weights' own.
#[cube(launch)]
pub(super) fn join_parts(
    parts: &Tensor<f32>,
    weight: &mut Tensor<f32>,
    bias: &mut Tensor<f32>,
    count: usize,
    inside: usize,
    length: usize,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let sum = sum_of_parts(parts, ABSOLUTE_POS, count, length);
    if ABSOLUTE_POS < inside {
        weight[ABSOLUTE_POS] = sum;
    } else {
        bias[ABSOLUTE_POS - inside] = sum;
    }
}

/// The same of parts that have nothing behind them.
#[cube(launch)]
pub(super) fn sums_of_parts(parts: &Tensor<f32>, out: &mut Tensor<f32>, count: usize, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    out[ABSOLUTE_POS] = sum_of_parts(parts, ABSOLUTE_POS, count, length);
}

/// The gradient before a ReLU.
#[cube(launch)]
pub(super) fn before_relu(gradient: &Tensor<f32>, output: &Tensor<f32>, out: &mut Tensor<f32>, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    out[ABSOLUTE_POS] = select(output[ABSOLUTE_POS] > 0.0f32, gradient[ABSOLUTE_POS], 0.0f32);
}
