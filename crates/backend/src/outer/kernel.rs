//! Blocks of outer products over slices of host memory, on all cores. Blocks depend on the shape alone, so that the
//! same input gives the same bits on any number of threads.
#![allow(unsafe_code, reason = "output buffers that are not zeroed first, and matrix products that take pointers")]

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::dense::{Matrix, matrix_product};
use crate::fresh::{Fresh, floats};
use crate::vectorized;

/// Numbers of a block of outer products: 1 MiB, which stays in a core's second cache.
const BLOCK: usize = 1 << 18;
/// Most stretches of rows that sum the weights' gradient by themselves.
const SHARES: usize = 8;

/// What goes in: `x` `[rows, p]`, `y` `[rows, q]`, `w` `[p·q, n]`.
pub(super) struct Operands<'a> {
    pub(super) rows: usize,
    pub(super) p: usize,
    pub(super) q: usize,
    pub(super) n: usize,
    pub(super) x: &'a [f32],
    pub(super) y: &'a [f32],
    pub(super) w: &'a [f32],
}

impl Operands<'_> {
    fn check(&self) {
        let Self { rows, p, q, n, .. } = *self;
        assert!(p * q * n > 0, "an operand is empty");
        let fit = self.x.len() == rows * p && self.y.len() == rows * q && self.w.len() == p * q * n;
        assert!(fit, "the operands are not [{rows}, {p}], [{rows}, {q}], [{}, {n}]", p * q);
    }

    /// Rows of a block.
    fn step(&self) -> usize {
        (BLOCK / (self.p * self.q)).clamp(16, 1024)
    }

    /// The outer products of `count` rows from `first` on.
    fn outer<'z>(&self, first: usize, count: usize, z: &'z mut [MaybeUninit<f32>]) -> &'z mut [f32] {
        let (p, q) = (self.p, self.q);
        let (x, y) = (&self.x[first * p..(first + count) * p], &self.y[first * q..(first + count) * q]);
        let z = &mut z[..count * p * q];
        vectorized!(products(x, y, p, q, z));
        // SAFETY: the rows of x and y cover all of it.
        unsafe { floats(z) }
    }
}

#[inline(always)]
fn products(x: &[f32], y: &[f32], p: usize, q: usize, z: &mut [MaybeUninit<f32>]) {
    for ((x, y), z) in x.chunks_exact(p).zip(y.chunks_exact(q)).zip(z.chunks_exact_mut(p * q)) {
        for (x, z) in x.iter().zip(z.chunks_exact_mut(q)) {
            for (y, z) in y.iter().zip(z) {
                z.write(x * y);
            }
        }
    }
}

/// `[rows, n]`
pub(super) fn forward(o: &Operands<'_>) -> Vec<f32> {
    o.check();
    let (n, k, step) = (o.n, o.p * o.q, o.step());
    let mut out = Fresh::new(o.rows * n);
    out.0.par_chunks_mut(step * n).enumerate().for_each_init(
        || Fresh::new(step * k),
        |z, (block, out)| {
            let count = out.len() / n;
            let z = Matrix { values: o.outer(block * step, count, &mut z.0), strides: [k, 1] };
            let w = Matrix { values: o.w, strides: [n, 1] };
            // SAFETY: `out` holds count·n floats and is not read.
            unsafe { matrix_product([count, n, k], out.as_mut_ptr().cast(), false, z, w, gemm::Parallelism::None) };
        },
    );
    // SAFETY: the blocks cover all rows.
    unsafe { out.written() }
}

/// Rows that one task takes, and its part of the gradients.
struct Share<'a> {
    first: usize,
    x: &'a mut [MaybeUninit<f32>],
    y: &'a mut [MaybeUninit<f32>],
    w: Vec<f32>,
}

/// The gradients of x, y and W from that of the output, `[rows, n]`.
pub(super) fn backward(o: &Operands<'_>, gradient: &[f32]) -> [Vec<f32>; 3] {
    o.check();
    assert!(gradient.len() == o.rows * o.n, "the gradient is not [{}, {}]", o.rows, o.n);
    let stretch = o.rows.div_ceil(SHARES).next_multiple_of(o.step());
    let (mut dx, mut dy) = (Fresh::new(o.x.len()), Fresh::new(o.y.len()));
    let parts = dx.0.chunks_mut(stretch * o.p).zip(dy.0.chunks_mut(stretch * o.q)).enumerate();
    let mut shares: Vec<Share<'_>> =
        parts.map(|(i, (x, y))| Share { first: i * stretch, x, y, w: vec![0.0; o.w.len()] }).collect();
    shares.par_iter_mut().with_max_len(1).for_each(|share| run(o, gradient, share));
    let mut sums = shares.into_iter().map(|s| s.w);
    let mut dw = sums.next().unwrap_or_else(|| vec![0.0; o.w.len()]);
    for more in sums {
        dw.par_chunks_mut(1 << 14)
            .zip(more.par_chunks(1 << 14))
            .for_each(|(sum, more)| vectorized!(sum.iter_mut().zip(more).for_each(|(s, m)| *s += m)));
    }
    // SAFETY: the shares cover all rows.
    unsafe { [dx.written(), dy.written(), dw] }
}

fn run(o: &Operands<'_>, gradient: &[f32], share: &mut Share<'_>) {
    let (n, p, q, step) = (o.n, o.p, o.q, o.step());
    let k = p * q;
    let rows = share.x.len() / p;
    let (mut z, mut dz) = (Fresh::new(step * k), Fresh::new(step * k));
    for at in (0..rows).step_by(step) {
        let (first, count) = (share.first + at, step.min(rows - at));
        let g = Matrix { values: &gradient[first * n..(first + count) * n], strides: [n, 1] };
        let outer = Matrix { values: o.outer(first, count, &mut z.0), strides: [1, k] };
        let transposed = Matrix { values: o.w, strides: [1, n] };
        // SAFETY: the share's sum holds k·n floats, all initialised; `dz` count·k, not read.
        unsafe {
            matrix_product([k, n, count], share.w.as_mut_ptr(), true, outer, g, gemm::Parallelism::None);
            matrix_product([count, k, n], dz.0.as_mut_ptr().cast(), false, g, transposed, gemm::Parallelism::None);
        }
        // SAFETY: the product wrote them.
        let dz = unsafe { floats(&mut dz.0[..count * k]) };
        let (x, y) = (&o.x[first * p..(first + count) * p], &o.y[first * q..(first + count) * q]);
        let (to_x, to_y) = (&mut share.x[at * p..(at + count) * p], &mut share.y[at * q..(at + count) * q]);
        vectorized!(back(dz, [x, y], [p, q], to_x, to_y));
    }
}

/// `dx_i = Σ_j dz_ij y_j`, `dy_j = Σ_i dz_ij x_i`.
#[inline(always)]
fn back(
    dz: &[f32],
    [x, y]: [&[f32]; 2],
    [p, q]: [usize; 2],
    to_x: &mut [MaybeUninit<f32>],
    to_y: &mut [MaybeUninit<f32>],
) {
    let rows = x.chunks_exact(p).zip(y.chunks_exact(q)).zip(dz.chunks_exact(p * q));
    for (((x, y), dz), (to_x, to_y)) in rows.zip(to_x.chunks_exact_mut(p).zip(to_y.chunks_exact_mut(q))) {
        to_y.fill(MaybeUninit::new(0.0));
        // SAFETY: filled above.
        let to_y = unsafe { floats(to_y) };
        for ((x, to_x), dz) in x.iter().zip(to_x).zip(dz.chunks_exact(q)) {
            to_x.write(dot(dz, y));
            to_y.iter_mut().zip(dz).for_each(|(to, dz)| *to += x * dz);
        }
    }
}

/// A product of vectors in eight sums, added in a fixed order.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (chunks, others) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = chunks.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in chunks.zip(others) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f32>() + rest
}
