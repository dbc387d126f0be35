//! Blocks of rows through time, over slices of host memory.
//!
//! A block sorts its rows by length, so that those that still run are the first ones; its products are of their states
//! alone. Blocks depend on the shape alone: the same input gives the same bits on any number of threads.
#![allow(unsafe_code, reason = "output buffers that are not zeroed first, and matrix products that take pointers")]

use rayon::prelude::*;

use super::unit::Update;
use crate::dense::{Matrix, matrix_product};
use crate::math::{sigmoid, tanh};
use crate::vectorized;

/// Rows of a block.
const ROWS: usize = 64;

/// What goes in.
#[derive(Clone, Copy)]
pub(super) struct Gru<'a> {
    pub(super) offsets: &'a [u32],
    /// `[positions, 3h]`
    pub(super) xw: &'a [f32],
    /// `[positions, 1]`
    pub(super) attention: &'a [f32],
    /// `[h, 3h]`
    pub(super) weight: &'a [f32],
    pub(super) width: usize,
    pub(super) update: Update,
}

/// What the way back needs beside the states: at every position u, r, c and `hU_c`, `[positions, 4h]`.
pub(super) struct Forward {
    pub(super) states: Vec<f32>,
    pub(super) gates: Vec<f32>,
}

/// Gradients.
pub(super) struct Back {
    pub(super) xw: Vec<f32>,
    pub(super) attention: Vec<f32>,
    pub(super) weight: Vec<f32>,
}

/// A block: its positions from `first` on, and its rows as `(start, length)` within them, the longest first.
struct Block {
    first: usize,
    rows: Vec<(usize, usize)>,
}

impl Block {
    fn active(&self, step: usize) -> usize {
        self.rows.partition_point(|(_, length)| *length > step)
    }

    fn steps(&self) -> usize {
        self.rows.first().map_or(0, |(_, length)| *length)
    }

    fn positions(&self) -> usize {
        self.rows.iter().map(|(_, length)| length).sum()
    }
}

impl Gru<'_> {
    fn positions(&self) -> usize {
        self.offsets.last().map_or(0, |n| *n as usize)
    }

    fn check(&self) {
        let (n, h) = (self.positions(), self.width);
        let fit = self.xw.len() == n * 3 * h && self.weight.len() == 3 * h * h;
        assert!(fit && (self.update == Update::Plain || self.attention.len() == n), "the operands are of other shapes");
    }

    fn blocks(&self) -> Vec<Block> {
        let rows = self.offsets.len().saturating_sub(1);
        let at = |row: usize| self.offsets[row] as usize;
        let block = |from: usize| {
            let first = at(from);
            let to = (from + ROWS).min(rows);
            let mut rows: Vec<(usize, usize)> = (from..to).map(|r| (at(r) - first, at(r + 1) - at(r))).collect();
            rows.sort_by_key(|(_, length)| std::cmp::Reverse(*length));
            Block { first, rows }
        };
        (0..rows).step_by(ROWS).map(block).collect()
    }

    /// How much of the candidate enters, and its derivatives by u and by a.
    #[inline(always)]
    fn mix(&self, u: f32, a: f32) -> (f32, f32, f32) {
        match self.update {
            Update::Plain => (u, 1.0, 0.0),
            Update::Scaled => (a * u, a, u),
            Update::Attention => (a, 0.0, 1.0),
            Update::Released => (1.0 - (1.0 - a) * (1.0 - u), 1.0 - a, 1.0 - u),
        }
    }

    #[inline(always)]
    fn attention(&self, position: usize) -> f32 {
        self.attention.get(position).copied().unwrap_or(1.0)
    }

    pub(super) fn forward(&self) -> Forward {
        self.check();
        let (n, h) = (self.positions(), self.width);
        let mut out = Forward { states: vec![0.0; n * h], gates: vec![0.0; n * 4 * h] };
        let (mut states, mut gates) = (out.states.as_mut_slice(), out.gates.as_mut_slice());
        let mut tasks = Vec::new();
        for block in self.blocks() {
            let (own, rest) = std::mem::take(&mut states).split_at_mut(block.positions() * h);
            let (own_gates, rest_gates) = std::mem::take(&mut gates).split_at_mut(block.positions() * 4 * h);
            (states, gates) = (rest, rest_gates);
            tasks.push((block, own, own_gates));
        }
        tasks.into_par_iter().with_max_len(1).for_each(|(block, states, gates)| self.run(&block, states, gates));
        out
    }

    fn run(&self, block: &Block, states: &mut [f32], gates: &mut [f32]) {
        let h = self.width;
        let mut state = vec![0.0f32; block.rows.len() * h];
        let mut product = vec![0.0f32; block.rows.len() * 3 * h];
        let weight = Matrix { values: self.weight, strides: [3 * h, 1] };
        for step in 0..block.steps() {
            let active = block.active(step);
            if step > 0 {
                let from = Matrix { values: &state[..active * h], strides: [h, 1] };
                let none = gemm::Parallelism::None;
                // SAFETY: `product` holds active·3h floats and is not read.
                unsafe { matrix_product([active, 3 * h, h], product.as_mut_ptr(), false, from, weight, none) };
            }
            for (row, (start, _)) in block.rows[..active].iter().enumerate() {
                let at = start + step;
                let position = block.first + at;
                let xw = &self.xw[position * 3 * h..(position + 1) * 3 * h];
                let (h_row, hu) = (&mut state[row * h..(row + 1) * h], &product[row * 3 * h..(row + 1) * 3 * h]);
                let gates = &mut gates[at * 4 * h..(at + 1) * 4 * h];
                let a = self.attention(position);
                vectorized!(self.step(xw, hu, a, h_row, gates));
                states[at * h..(at + 1) * h].copy_from_slice(h_row);
            }
        }
    }

    #[inline(always)]
    fn step(&self, xw: &[f32], hu: &[f32], a: f32, state: &mut [f32], gates: &mut [f32]) {
        let h = self.width;
        let (xu, rest) = xw.split_at(h);
        let (xr, xc) = rest.split_at(h);
        let (hu, rest) = hu.split_at(h);
        let (hr, hc) = rest.split_at(h);
        let (us, rest) = gates.split_at_mut(h);
        let (rs, rest) = rest.split_at_mut(h);
        let (cs, qs) = rest.split_at_mut(h);
        // All of one length, so that the loop needs no checks.
        let (hc, xc, qs, state) = (&hc[..h], &xc[..h], &mut qs[..h], &mut state[..h]);
        for i in 0..h {
            us[i] = sigmoid(xu[i] + hu[i]);
            rs[i] = sigmoid(xr[i] + hr[i]);
            qs[i] = hc[i];
            cs[i] = tanh(xc[i] + rs[i] * hc[i]);
            let (z, ..) = self.mix(us[i], a);
            state[i] += z * (cs[i] - state[i]);
        }
    }

    /// The gradients from those of the states, `[positions, h]`.
    pub(super) fn backward(&self, forward: &[f32], gates: &[f32], gradient: &[f32]) -> Back {
        self.check();
        let (n, h) = (self.positions(), self.width);
        assert!(
            forward.len() == n * h && gates.len() == n * 4 * h && gradient.len() == n * h,
            "states of other shapes"
        );
        let mut out = Back { xw: vec![0.0; n * 3 * h], attention: vec![0.0; n], weight: vec![0.0; 3 * h * h] };
        let (mut xw, mut attention) = (out.xw.as_mut_slice(), out.attention.as_mut_slice());
        let mut tasks = Vec::new();
        for block in self.blocks() {
            let (own, rest) = std::mem::take(&mut xw).split_at_mut(block.positions() * 3 * h);
            let (own_attention, rest_attention) = std::mem::take(&mut attention).split_at_mut(block.positions());
            (xw, attention) = (rest, rest_attention);
            tasks.push((block, own, own_attention));
        }
        let run = |(block, xw, attention): (Block, &mut [f32], &mut [f32])| {
            self.back(&block, forward, gates, gradient, xw, attention)
        };
        let shares: Vec<Vec<f32>> = tasks.into_par_iter().with_max_len(1).map(run).collect();
        for share in shares {
            out.weight.iter_mut().zip(share).for_each(|(sum, w)| *sum += w);
        }
        out
    }

    /// One block back through time; returns its share of the weight's gradient.
    fn back(
        &self,
        block: &Block,
        states: &[f32],
        gates: &[f32],
        gradient: &[f32],
        xw: &mut [f32],
        attention: &mut [f32],
    ) -> Vec<f32> {
        let h = self.width;
        let mut carried = vec![0.0f32; block.rows.len() * h];
        // The gradient of hU at every position, and the state before it: their product is the weight's.
        let mut of_product = vec![0.0f32; block.positions() * 3 * h];
        let mut before = vec![0.0f32; block.positions() * h];
        let mut packed = vec![0.0f32; block.rows.len() * 3 * h];
        let transposed = Matrix { values: self.weight, strides: [1, 3 * h] };
        let none = gemm::Parallelism::None;
        for step in (0..block.steps()).rev() {
            let active = block.active(step);
            for (row, (start, _)) in block.rows[..active].iter().enumerate() {
                let at = start + step;
                let position = block.first + at;
                let previous = &mut before[at * h..(at + 1) * h];
                if step > 0 {
                    previous.copy_from_slice(&states[(position - 1) * h..position * h]);
                }
                let here = Here {
                    gates: &gates[position * 4 * h..(position + 1) * 4 * h],
                    previous,
                    gradient: &gradient[position * h..(position + 1) * h],
                    a: self.attention(position),
                };
                let carried = &mut carried[row * h..(row + 1) * h];
                let to_xw = &mut xw[at * 3 * h..(at + 1) * 3 * h];
                let to_product = &mut packed[row * 3 * h..(row + 1) * 3 * h];
                attention[at] = vectorized!(self.step_back(&here, carried, to_xw, to_product));
                of_product[at * 3 * h..(at + 1) * 3 * h].copy_from_slice(to_product);
            }
            if step > 0 {
                let from = Matrix { values: &packed[..active * 3 * h], strides: [3 * h, 1] };
                // SAFETY: `carried` holds active·h floats, all initialised.
                unsafe { matrix_product([active, h, 3 * h], carried.as_mut_ptr(), true, from, transposed, none) };
            }
        }
        let positions = block.positions();
        let mut weight = vec![0.0; 3 * h * h];
        let before = Matrix { values: &before, strides: [1, h] };
        let of_product = Matrix { values: &of_product, strides: [3 * h, 1] };
        // SAFETY: `weight` holds h·3h floats.
        unsafe { matrix_product([h, 3 * h, positions], weight.as_mut_ptr(), true, before, of_product, none) };
        weight
    }

    #[inline(always)]
    fn step_back(&self, here: &Here<'_>, carried: &mut [f32], to_xw: &mut [f32], to_product: &mut [f32]) -> f32 {
        let h = self.width;
        let (us, rest) = here.gates.split_at(h);
        let (rs, rest) = rest.split_at(h);
        let (cs, qs) = rest.split_at(h);
        let (xu, rest) = to_xw.split_at_mut(h);
        let (xr, xc) = rest.split_at_mut(h);
        let (pu, rest) = to_product.split_at_mut(h);
        let (pr, pc) = rest.split_at_mut(h);
        let (qs, xc, pc, carried) = (&qs[..h], &mut xc[..h], &mut pc[..h], &mut carried[..h]);
        let (previous, gradient) = (&here.previous[..h], &here.gradient[..h]);
        let mut of_attention = 0.0;
        for i in 0..h {
            let (u, r, c) = (us[i], rs[i], cs[i]);
            let g = gradient[i] + carried[i];
            let (z, by_u, by_a) = self.mix(u, here.a);
            let dz = g * (c - previous[i]);
            let dc = g * z * (1.0 - c * c);
            of_attention += dz * by_a;
            carried[i] = g * (1.0 - z);
            xu[i] = dz * by_u * u * (1.0 - u);
            xr[i] = dc * qs[i] * r * (1.0 - r);
            xc[i] = dc;
            (pu[i], pr[i], pc[i]) = (xu[i], xr[i], dc * r);
        }
        of_attention
    }
}

/// What one position's way back reads.
struct Here<'a> {
    gates: &'a [f32],
    previous: &'a [f32],
    gradient: &'a [f32],
    a: f32,
}
