//! Rows through time as kernels: a group does one row, step by step, its state near it. Barriers stand where all groups meet
//! them: steps go to the length of the longest row, and shorter ones rest. No atomics: two runs give the same bits.
#![allow(
    clippy::collapsible_if,
    reason = "a condition that a kernel is made for stands apart from one that its threads ask"
)]

use cubecl::prelude::*;

use crate::cubes::{sigmoid, span_of};

/// Rules by which a candidate enters the state; see [`super::unit::Update`].
pub(super) const PLAIN: u32 = 0;
pub(super) const SCALED: u32 = 1;
pub(super) const ATTENTION: u32 = 2;
pub(super) const RELEASED: u32 = 3;

/// How much of the candidate enters, and its derivatives by u and by a.
#[cube]
fn mix(u: f32, a: f32, #[comptime] rule: u32) -> (f32, f32, f32) {
    let mut z = u;
    let mut by_u = 1.0f32;
    let mut by_a = 0.0f32;
    if comptime!(rule == SCALED) {
        z = a * u;
        by_u = a;
        by_a = u;
    } else if comptime!(rule == ATTENTION) {
        z = a;
        by_u = 0.0f32;
        by_a = 1.0f32;
    } else if comptime!(rule == RELEASED) {
        z = 1.0f32 - (1.0f32 - a) * (1.0f32 - u);
        by_u = 1.0f32 - a;
        by_a = 1.0f32 - u;
    }
    (z, by_u, by_a)
}

/// The states at all positions, and u, r, c and `hU_c` beside them.
#[cube(launch)]
#[allow(clippy::too_many_arguments, reason = "the operands of a unit")]
pub(super) fn forward(
    xw: &Tensor<f32>,
    attention: &Tensor<f32>,
    weight: &Tensor<f32>,
    offsets: &Tensor<i32>,
    states: &mut Tensor<f32>,
    gates: &mut Tensor<f32>,
    rows: usize,
    longest: usize,
    #[comptime] width: usize,
    #[comptime] threads: usize,
    #[comptime] rule: u32,
) {
    let mut state = Shared::<[f32]>::new_slice(width);
    let mut next = Shared::<[f32]>::new_slice(width);
    let unit = UNIT_POS as usize;
    let (first, last) = span_of(offsets, CUBE_POS, rows);
    let mut i = unit;
    while i < width {
        state[i] = 0.0f32;
        i += threads;
    }
    for step in 0..longest {
        let at = first + step;
        sync_cube();
        if at < last {
            let mut a = 1.0f32;
            if comptime!(rule != PLAIN) {
                a = attention[at];
            }
            let mut i = unit;
            while i < width {
                let mut of_u = 0.0f32;
                let mut of_r = 0.0f32;
                let mut of_c = 0.0f32;
                for k in 0..width {
                    let before = state[k];
                    let place = k * 3 * width + i;
                    of_u += before * weight[place];
                    of_r += before * weight[place + width];
                    of_c += before * weight[place + 2 * width];
                }
                let place = at * 3 * width + i;
                let u = sigmoid(xw[place] + of_u);
                let r = sigmoid(xw[place + width] + of_r);
                // tanh x = 2 σ(2x) - 1
                let c = 2.0f32 * sigmoid(2.0f32 * (xw[place + 2 * width] + r * of_c)) - 1.0f32;
                let (z, _, _) = mix(u, a, rule);
                let old = state[i];
                let new = old + z * (c - old);
                next[i] = new;
                states[at * width + i] = new;
                let place = at * 4 * width + i;
                gates[place] = u;
                gates[place + width] = r;
                gates[place + 2 * width] = c;
                gates[place + 3 * width] = of_c;
                i += threads;
            }
        }
        sync_cube();
        if at < last {
            let mut i = unit;
            while i < width {
                state[i] = next[i];
                i += threads;
            }
        }
    }
}

/// Back through time: the gradients of `xw`, of `hU`, of attention, and the state before each position, whose product with the
/// second is the weight's.
#[cube(launch)]
#[allow(clippy::too_many_arguments, reason = "the operands of a unit and their gradients")]
pub(super) fn backward(
    attention: &Tensor<f32>,
    weight: &Tensor<f32>,
    offsets: &Tensor<i32>,
    states: &Tensor<f32>,
    gates: &Tensor<f32>,
    gradient: &Tensor<f32>,
    to_xw: &mut Tensor<f32>,
    to_product: &mut Tensor<f32>,
    previous: &mut Tensor<f32>,
    to_attention: &mut Tensor<f32>,
    rows: usize,
    longest: usize,
    #[comptime] width: usize,
    #[comptime] threads: usize,
    #[comptime] rule: u32,
) {
    let mut carried = Shared::<[f32]>::new_slice(width);
    let mut product = Shared::<[f32]>::new_slice(comptime!(3 * width));
    let mut shares = Shared::<[f32]>::new_slice(threads);
    let unit = UNIT_POS as usize;
    let (first, last) = span_of(offsets, CUBE_POS, rows);
    let mut i = unit;
    while i < width {
        carried[i] = 0.0f32;
        i += threads;
    }
    for back in 0..longest {
        sync_cube();
        if first + back < last {
            let at = last - 1 - back;
            let mut a = 1.0f32;
            if comptime!(rule != PLAIN) {
                a = attention[at];
            }
            let mut share = 0.0f32;
            let mut i = unit;
            while i < width {
                let place = at * 4 * width + i;
                let u = gates[place];
                let r = gates[place + width];
                let c = gates[place + 2 * width];
                let q = gates[place + 3 * width];
                let mut before = 0.0f32;
                if at > first {
                    before = states[(at - 1) * width + i];
                }
                let g = gradient[at * width + i] + carried[i];
                let (z, by_u, by_a) = mix(u, a, rule);
                let dz = g * (c - before);
                let dc = g * z * (1.0f32 - c * c);
                share += dz * by_a;
                let du = dz * by_u * u * (1.0f32 - u);
                let dr = dc * q * r * (1.0f32 - r);
                let place = at * 3 * width + i;
                to_xw[place] = du;
                to_xw[place + width] = dr;
                to_xw[place + 2 * width] = dc;
                to_product[place] = du;
                to_product[place + width] = dr;
                to_product[place + 2 * width] = dc * r;
                product[i] = du;
                product[i + width] = dr;
                product[i + 2 * width] = dc * r;
                previous[at * width + i] = before;
                carried[i] = g * (1.0f32 - z);
                i += threads;
            }
            shares[unit] = share;
        }
        sync_cube();
        if first + back < last {
            let mut i = unit;
            while i < width {
                let mut sum = carried[i];
                for k in 0..comptime!(3 * width) {
                    sum += product[k] * weight[i * 3 * width + k];
                }
                carried[i] = sum;
                i += threads;
            }
            if unit == 0 {
                let mut sum = 0.0f32;
                if comptime!(rule != PLAIN) {
                    for other in 0..threads {
                        sum += shares[other];
                    }
                }
                to_attention[last - 1 - back] = sum;
            }
        }
    }
}
