//! Layers and mixtures of experts over slices of host memory, on all cores; an expert's columns stand beside those of the others
//! and are read where they are.
//!
//! Work is cut into blocks of rows whose number depends on the shape alone: the same input gives the same bits on any number
//! of threads.
#![allow(
    unsafe_code,
    reason = "matrix products take pointers; every pointer below stays within a slice of known length"
)]

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::dense::{Matrix, add, blocks, finish, mask, product_into, total};
use crate::fresh::{Fresh, floats};
use crate::vectorized;

/// Experts beside each other, each from `from` columns to `to` columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) experts: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Shape {
    fn inputs(self) -> usize {
        self.experts * self.from
    }

    fn outputs(self) -> usize {
        self.experts * self.to
    }

    fn check(self, x: &[f32], w: &[f32]) {
        let fits = x.len() == self.rows * self.inputs() && w.len() == self.inputs() * self.to;
        assert!(fits && self.inputs() * self.to > 0, "experts do not fit: {self:?}");
    }
}

/// The columns `at·width..` of some rows of a matrix `[rows, wide]`; what is left of it from there on.
fn columns(values: &[f32], wide: usize, first: usize, at: usize, width: usize) -> &[f32] {
    &values[first * wide + at * width..]
}

/// `act(x_e·W_e + b_e)` of every expert.
pub(super) fn forward(shape: Shape, x: &[f32], w: &[f32], b: &[f32], relu: bool) -> Vec<f32> {
    shape.check(x, w);
    let Shape { rows, experts, from, to } = shape;
    let (inputs, outputs) = (shape.inputs(), shape.outputs());
    assert!(b.len() == outputs, "the biases are not [{experts}, 1, {to}]");
    let mut output = Fresh::new(rows * outputs);
    let (step, parallelism) = blocks(rows);
    output.0.par_chunks_mut((step * outputs).max(1)).with_max_len(1).enumerate().for_each(|(block, out)| {
        let (first, m) = (block * step, out.len() / outputs);
        for e in 0..experts {
            let a = Matrix { values: columns(x, inputs, first, e, from), strides: [inputs, 1] };
            let weight = Matrix { values: &w[e * from * to..(e + 1) * from * to], strides: [to, 1] };
            let target = out[e * to..].as_mut_ptr().cast();
            // SAFETY: rows of `to` floats from there on, `outputs` apart, are within `out`.
            unsafe { product_into([m, to, from], target, outputs, false, a, weight, parallelism) };
        }
        // SAFETY: the products of all experts wrote every element.
        let out = unsafe { floats(out) };
        vectorized!(finish(out, b, None, relu));
    });
    // SAFETY: the blocks cover all rows.
    unsafe { output.written() }
}

/// What one block of the way back writes.
struct Task<'a> {
    gradient: &'a mut [f32],
    x: Option<&'a mut [MaybeUninit<f32>]>,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Gradients of x, W and b, of those that are wanted.
pub(super) type Gradients = [Option<Vec<f32>>; 3];

/// The gradients of [`forward`]: `cut` is its output where it was cut at zero; `gradient`, that of the output, becomes that of
/// the sum before.
pub(super) fn backward(
    shape: Shape,
    x: &[f32],
    w: &[f32],
    cut: Option<&[f32]>,
    gradient: &mut [f32],
    wanted: [bool; 3],
) -> Gradients {
    shape.check(x, w);
    let (rows, inputs, outputs) = (shape.rows, shape.inputs(), shape.outputs());
    assert!(
        gradient.len() == rows * outputs && cut.is_none_or(|c| c.len() == gradient.len()),
        "a gradient of {shape:?}"
    );
    let (step, parallelism) = blocks(rows);
    let mut target = wanted[0].then(|| Fresh::new(rows * inputs));
    let mut pieces = target.as_mut().map(|t| t.0.chunks_mut((step * inputs).max(1)));
    let mut tasks: Vec<Task<'_>> = gradient
        .chunks_mut((step * outputs).max(1))
        .map(|gradient| Task {
            gradient,
            x: pieces.as_mut().and_then(Iterator::next),
            weight: Vec::new(),
            bias: Vec::new(),
        })
        .collect();
    tasks.par_iter_mut().with_max_len(1).enumerate().for_each(|(block, task)| {
        task.run(shape, block * step, x, w, cut, wanted[1], parallelism);
    });
    let shares: Vec<[Vec<f32>; 2]> = tasks.into_iter().map(|task| [task.weight, task.bias]).collect();
    let sum = |at: usize, length: usize| match shares.is_empty() {
        true => vec![0.0; length],
        false => total(shares.iter().map(|share| share[at].as_slice()).collect()),
    };
    let weight = wanted[1].then(|| sum(0, inputs * shape.to));
    let bias = wanted[2].then(|| sum(1, outputs));
    // SAFETY: the tasks cover all rows, and each wrote all of its part.
    [target.map(|values| unsafe { values.written() }), weight, bias]
}

impl Task<'_> {
    #[allow(clippy::too_many_arguments, reason = "the operands of one layer's backward pass")]
    fn run(
        &mut self,
        shape: Shape,
        first: usize,
        x: &[f32],
        w: &[f32],
        cut: Option<&[f32]>,
        weight: bool,
        parallelism: gemm::Parallelism,
    ) {
        let Shape { experts, from, to, .. } = shape;
        let (inputs, outputs) = (shape.inputs(), shape.outputs());
        let m = self.gradient.len() / outputs;
        self.bias = vec![0.0; outputs];
        match cut {
            Some(cut) => {
                let cut = &cut[first * outputs..(first + m) * outputs];
                vectorized!(mask(self.gradient, cut, &mut self.bias));
            }
            None => vectorized!(self.gradient.chunks_exact(outputs).for_each(|row| add(&mut self.bias, row))),
        }
        let mut of_weights = Fresh::new(if weight { inputs * to } else { 0 });
        for e in 0..experts {
            let g = Matrix { values: columns(self.gradient, outputs, 0, e, to), strides: [outputs, 1] };
            let span = e * from * to..(e + 1) * from * to;
            if weight {
                let turned = Matrix { values: columns(x, inputs, first, e, from), strides: [1, inputs] };
                let target = of_weights.0[span.clone()].as_mut_ptr().cast();
                // SAFETY: the span holds from·to floats.
                unsafe { product_into([from, to, m], target, to, false, turned, g, parallelism) };
            }
            if let Some(target) = &mut self.x {
                let turned = Matrix { values: &w[span], strides: [1, to] };
                let target = target[e * from..].as_mut_ptr().cast();
                // SAFETY: rows of `from` floats from there on, `inputs` apart, are within the task's part.
                unsafe { product_into([m, from, to], target, inputs, false, g, turned, parallelism) };
            }
        }
        // SAFETY: every expert's span was written, where it is wanted; else it is empty.
        self.weight = unsafe { of_weights.written() };
    }
}
