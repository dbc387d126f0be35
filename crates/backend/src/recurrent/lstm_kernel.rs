//! Rows through time as kernels: a group does one row, step by step, its state near it. Barriers stand where all groups meet
//! them: steps go to the length of the longest row, and shorter ones rest. No atomics: two runs give the same bits.

use cubecl::prelude::*;

use crate::cubes::{sigmoid, span_of};

/// The states at all positions, and i, f, o, the candidate and c' beside them.
#[cube(launch)]
#[allow(clippy::too_many_arguments, reason = "the operands of a memory")]
pub(super) fn forward(
    xw: &Tensor<f32>,
    recurrent: &Tensor<f32>,
    peepholes: &Tensor<f32>,
    offsets: &Tensor<i32>,
    states: &mut Tensor<f32>,
    kept: &mut Tensor<f32>,
    rows: usize,
    longest: usize,
    #[comptime] width: usize,
    #[comptime] threads: usize,
) {
    let mut state = Shared::<[f32]>::new_slice(width);
    let mut next = Shared::<[f32]>::new_slice(width);
    let mut cell = Shared::<[f32]>::new_slice(width);
    let unit = UNIT_POS as usize;
    let (first, last) = span_of(offsets, CUBE_POS, rows);
    let mut at_unit = unit;
    while at_unit < width {
        state[at_unit] = 0.0f32;
        cell[at_unit] = 0.0f32;
        at_unit += threads;
    }
    for step in 0..longest {
        let at = first + step;
        sync_cube();
        if at < last {
            let mut own = unit;
            while own < width {
                let mut of_i = 0.0f32;
                let mut of_f = 0.0f32;
                let mut of_o = 0.0f32;
                let mut of_g = 0.0f32;
                for k in 0..width {
                    let before = state[k];
                    let place = k * 4 * width + own;
                    of_i += before * recurrent[place];
                    of_f += before * recurrent[place + width];
                    of_o += before * recurrent[place + 2 * width];
                    of_g += before * recurrent[place + 3 * width];
                }
                let place = at * 4 * width + own;
                let old = cell[own];
                let i = sigmoid(xw[place] + of_i + old * peepholes[own]);
                let f = sigmoid(xw[place + width] + of_f + old * peepholes[own + width]);
                // tanh x = 2 σ(2x) - 1
                let g = 2.0f32 * sigmoid(2.0f32 * (xw[place + 3 * width] + of_g)) - 1.0f32;
                let c = f * old + i * g;
                let o = sigmoid(xw[place + 2 * width] + of_o + c * peepholes[own + 2 * width]);
                let h = o * (2.0f32 * sigmoid(2.0f32 * c) - 1.0f32);
                cell[own] = c;
                next[own] = h;
                states[at * width + own] = h;
                let place = at * 5 * width + own;
                kept[place] = i;
                kept[place + width] = f;
                kept[place + 2 * width] = o;
                kept[place + 3 * width] = g;
                kept[place + 4 * width] = c;
                own += threads;
            }
        }
        sync_cube();
        if at < last {
            let mut own = unit;
            while own < width {
                state[own] = next[own];
                own += threads;
            }
        }
    }
}

/// Back through time: the gradients of `xw` (those of `hU` are the same), the state before each position, and what each position
/// adds to the peepholes' gradients.
#[cube(launch)]
#[allow(clippy::too_many_arguments, reason = "the operands of a memory and their gradients")]
pub(super) fn backward(
    recurrent: &Tensor<f32>,
    peepholes: &Tensor<f32>,
    offsets: &Tensor<i32>,
    states: &Tensor<f32>,
    kept: &Tensor<f32>,
    gradient: &Tensor<f32>,
    to_xw: &mut Tensor<f32>,
    previous: &mut Tensor<f32>,
    of_peepholes: &mut Tensor<f32>,
    rows: usize,
    longest: usize,
    #[comptime] width: usize,
    #[comptime] threads: usize,
) {
    let mut carried = Shared::<[f32]>::new_slice(width);
    let mut of_cell = Shared::<[f32]>::new_slice(width);
    let mut product = Shared::<[f32]>::new_slice(comptime!(4 * width));
    let unit = UNIT_POS as usize;
    let (first, last) = span_of(offsets, CUBE_POS, rows);
    let mut at_unit = unit;
    while at_unit < width {
        carried[at_unit] = 0.0f32;
        of_cell[at_unit] = 0.0f32;
        at_unit += threads;
    }
    for back in 0..longest {
        sync_cube();
        if first + back < last {
            let at = last - 1 - back;
            let mut own = unit;
            while own < width {
                let place = at * 5 * width + own;
                let i = kept[place];
                let f = kept[place + width];
                let o = kept[place + 2 * width];
                let g = kept[place + 3 * width];
                let c = kept[place + 4 * width];
                let mut old = 0.0f32;
                let mut before = 0.0f32;
                if at > first {
                    old = kept[(at - 1) * 5 * width + own + 4 * width];
                    before = states[(at - 1) * width + own];
                }
                let t = 2.0f32 * sigmoid(2.0f32 * c) - 1.0f32;
                let dh = gradient[at * width + own] + carried[own];
                let to_o = dh * t * o * (1.0f32 - o);
                let dc = of_cell[own] + dh * o * (1.0f32 - t * t) + to_o * peepholes[own + 2 * width];
                let to_i = dc * g * i * (1.0f32 - i);
                let to_f = dc * old * f * (1.0f32 - f);
                let to_g = dc * i * (1.0f32 - g * g);
                let place = at * 4 * width + own;
                to_xw[place] = to_i;
                to_xw[place + width] = to_f;
                to_xw[place + 2 * width] = to_o;
                to_xw[place + 3 * width] = to_g;
                product[own] = to_i;
                product[own + width] = to_f;
                product[own + 2 * width] = to_o;
                product[own + 3 * width] = to_g;
                let place = at * 3 * width + own;
                of_peepholes[place] = to_i * old;
                of_peepholes[place + width] = to_f * old;
                of_peepholes[place + 2 * width] = to_o * c;
                previous[at * width + own] = before;
                of_cell[own] = dc * f + to_i * peepholes[own] + to_f * peepholes[own + width];
                own += threads;
            }
        }
        sync_cube();
        if first + back < last {
            let mut own = unit;
            while own < width {
                let mut sum = 0.0f32;
                for k in 0..comptime!(4 * width) {
                    sum += product[k] * recurrent[own * 4 * width + k];
                }
                carried[own] = sum;
                own += threads;
            }
        }
    }
}
