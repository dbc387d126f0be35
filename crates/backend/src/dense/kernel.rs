//! The layer over slices of host memory, on all cores.
//!
//! Work is cut into blocks of rows whose number depends on the shape alone, never on the threads: the same input
//! gives the same bits on one core and on sixteen.
#![allow(
    unsafe_code,
    reason = "matrix products take pointers; every pointer below stays within a slice of known length"
)]

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::fresh::{Fresh, floats};
use crate::vectorized;

/// Columns of the input.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    /// `[B, width]`.
    pub(super) values: &'a [f32],
    pub(super) width: usize,
}

/// Which gradients to compute besides those of the inputs.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) weight: bool,
    pub(super) bias: bool,
}

/// Gradients.
pub(super) struct Found {
    pub(super) parts: Vec<Option<Vec<f32>>>,
    pub(super) weight: Option<Vec<f32>>,
    pub(super) bias: Option<Vec<f32>>,
}

/// Rows of a block, and how many threads share it.
pub(crate) fn blocks(rows: usize) -> (usize, gemm::Parallelism) {
    let count = if rows < 512 { 1 } else { (rows / 2048).clamp(2, 8) };
    let threads = rayon::current_num_threads();
    let each = threads.div_ceil(count);
    (rows.div_ceil(count).max(1), if each > 1 { gemm::Parallelism::Rayon(each) } else { gemm::Parallelism::None })
}

/// A matrix as a slice with its strides.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) values: &'a [f32],
    /// Elements from a row to the next, and from a column to the next.
    pub(crate) strides: [usize; 2],
}

/// `to = sum·to + a·b` with `to` row-major `[m, n]`, a `[m, k]`, b `[k, n]`.
///
/// # Safety
/// `to` must be writable for m·n floats, and initialised if `sum`.
pub(crate) unsafe fn product(
    shape: [usize; 3],
    to: *mut f32,
    sum: bool,
    a: Matrix<'_>,
    b: Matrix<'_>,
    parallelism: gemm::Parallelism,
) {
    // SAFETY: rows of n floats, n apart, are m·n floats.
    unsafe { product_into(shape, to, shape[1], sum, a, b, parallelism) }
}

/// The same with rows of `to` that stand `apart` from each other.
///
/// # Safety
/// `to` must be writable for m rows of n floats, `apart` from each other, and initialised if `sum`.
pub(crate) unsafe fn product_into(
    [m, n, k]: [usize; 3],
    to: *mut f32,
    apart: usize,
    sum: bool,
    a: Matrix<'_>,
    b: Matrix<'_>,
    parallelism: gemm::Parallelism,
) {
    let reach = |x: Matrix<'_>, rows: usize, columns: usize| {
        rows == 0 || columns == 0 || (rows - 1) * x.strides[0] + (columns - 1) * x.strides[1] < x.values.len()
    };
    assert!(reach(a, m, k) && reach(b, k, n), "a matrix is smaller than its shape");
    let stride = |x: usize| isize::try_from(x).unwrap_or(isize::MAX);
    // SAFETY: a and b were checked above; `to` is the caller's promise.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            to,
            1,
            stride(apart),
            sum,
            a.values.as_ptr(),
            stride(a.strides[1]),
            stride(a.strides[0]),
            b.values.as_ptr(),
            stride(b.strides[1]),
            stride(b.strides[0]),
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// `act(Σ parts·W + b + residual)`, `[rows, b.len()]`.
pub(super) fn forward(
    rows: usize,
    parts: &[Part<'_>],
    w: &[f32],
    b: &[f32],
    residual: Option<&[f32]>,
    relu: bool,
) -> Vec<f32> {
    let n = b.len();
    check(rows, n, parts.iter().copied(), w);
    assert!(residual.is_none_or(|r| r.len() == rows * n), "the residual is not [{rows}, {n}]");
    let mut output = Fresh::new(rows * n);
    let (step, parallelism) = blocks(rows);
    output.0.par_chunks_mut((step * n).max(1)).with_max_len(1).enumerate().for_each(|(block, out)| {
        let (first, m) = (block * step, out.len() / n);
        let mut above = 0;
        for (number, part) in parts.iter().enumerate() {
            let k = part.width;
            let a = Matrix { values: &part.values[first * k..(first + m) * k], strides: [k, 1] };
            let weight = Matrix { values: &w[above * n..(above + k) * n], strides: [n, 1] };
            // SAFETY: `out` holds m·n floats; the second part adds to what the first wrote.
            unsafe { product([m, n, k], out.as_mut_ptr().cast(), number > 0, a, weight, parallelism) };
            above += k;
        }
        let residual = residual.map(|r| &r[first * n..(first + m) * n]);
        // SAFETY: the first product wrote every element.
        let out = unsafe { floats(out) };
        vectorized!(finish(out, b, residual, relu));
    });
    // SAFETY: the blocks cover all rows, and each was written by its first product.
    unsafe { output.written() }
}

/// Adds bias and residual and cuts at zero.
#[inline(always)]
pub(crate) fn finish(out: &mut [f32], b: &[f32], residual: Option<&[f32]>, relu: bool) {
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    let keep = |z: f32| if z < floor { floor } else { z };
    match residual {
        None => {
            out.chunks_exact_mut(b.len()).for_each(|row| row.iter_mut().zip(b).for_each(|(z, b)| *z = keep(*z + b)))
        }
        Some(residual) => {
            for (row, residual) in out.chunks_exact_mut(b.len()).zip(residual.chunks_exact(b.len())) {
                row.iter_mut().zip(b).zip(residual).for_each(|((z, b), r)| *z = keep(*z + b + r));
            }
        }
    }
}

/// Refuses operands that do not fit together.
fn check<'a>(rows: usize, n: usize, parts: impl Iterator<Item = Part<'a>>, w: &[f32]) {
    let mut height = 0;
    for part in parts {
        assert!(part.values.len() == rows * part.width, "an input is not [{rows}, {}]", part.width);
        height += part.width;
    }
    assert!(height > 0 && n > 0 && w.len() == height * n, "the weight is not [{height}, {n}]");
}

/// One block's share of the sums over rows.
#[derive(Default)]
struct Share {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// The gradients of [`forward`]: `cut` is its output where it was cut at zero, `gradient` `[rows, n]` that of the
/// output, which becomes that of the sum before the activation, so that all passes but one are over fewer arrays.
pub(super) fn backward(
    rows: usize,
    parts: &[(Part<'_>, bool)],
    w: &[f32],
    cut: Option<&[f32]>,
    gradient: &mut [f32],
    wanted: Wanted,
) -> Found {
    let height: usize = parts.iter().map(|(p, _)| p.width).sum();
    let n = w.len() / height.max(1);
    check(rows, n, parts.iter().map(|(p, _)| *p), w);
    assert!(gradient.len() == rows * n && cut.is_none_or(|c| c.len() == rows * n), "the gradient is not [{rows}, {n}]");
    let (step, parallelism) = blocks(rows);
    let count = rows.div_ceil(step);
    let mut targets: Vec<Option<Fresh>> =
        parts.iter().map(|(part, wanted)| wanted.then(|| Fresh::new(rows * part.width))).collect();
    let mut tasks: Vec<Task<'_>> = (0..count).map(|_| Task::default()).collect();
    for (target, (part, _)) in targets.iter_mut().zip(parts) {
        let mut pieces = target.as_mut().map(|t| t.0.chunks_mut((step * part.width).max(1)));
        tasks.iter_mut().for_each(|task| task.parts.push(pieces.as_mut().and_then(Iterator::next)));
    }
    tasks.iter_mut().zip(gradient.chunks_mut((step * n).max(1))).for_each(|(t, piece)| t.gradient = piece);
    tasks.par_iter_mut().with_max_len(1).enumerate().for_each(|(block, task)| {
        let span = block * step..((block + 1) * step).min(rows);
        task.run(span, n, parts, w, cut, wanted, parallelism);
    });
    let shares: Vec<Share> = tasks.into_iter().map(|t| t.share).collect();
    let weight = wanted.weight.then(|| match shares.is_empty() {
        true => vec![0.0; height * n],
        false => total(shares.iter().map(|s| s.weight.as_slice()).collect()),
    });
    let bias = wanted.bias.then(|| match shares.is_empty() {
        true => vec![0.0; n],
        false => total(shares.iter().map(|s| s.bias.as_slice()).collect()),
    });
    // SAFETY: the tasks cover all rows; each writes all of its parts by a product.
    let written = |values: Fresh| unsafe { values.written() };
    let parts = targets.into_iter().map(|t| t.map(written)).collect();
    Found { parts, weight, bias }
}

/// What one block writes.
#[derive(Default)]
struct Task<'a> {
    parts: Vec<Option<&'a mut [MaybeUninit<f32>]>>,
    gradient: &'a mut [f32],
    share: Share,
}

impl Task<'_> {
    #[allow(clippy::too_many_arguments, reason = "the operands of one layer's backward pass")]
    fn run(
        &mut self,
        span: std::ops::Range<usize>,
        n: usize,
        parts: &[(Part<'_>, bool)],
        w: &[f32],
        cut: Option<&[f32]>,
        wanted: Wanted,
        parallelism: gemm::Parallelism,
    ) {
        let m = span.len();
        let mut bias = vec![0.0; n];
        match cut {
            Some(cut) => {
                let cut = &cut[span.start * n..span.end * n];
                vectorized!(mask(self.gradient, cut, &mut bias));
            }
            None if wanted.bias => vectorized!(self.gradient.chunks_exact(n).for_each(|row| add(&mut bias, row))),
            None => {}
        }
        let gradient: &[f32] = self.gradient;
        self.share.bias = bias;
        let height: usize = parts.iter().map(|(p, _)| p.width).sum();
        let mut weight = Fresh::new(if wanted.weight { height * n } else { 0 });
        let mut above = 0;
        for ((part, _), target) in parts.iter().zip(&mut self.parts) {
            let k = part.width;
            let g = Matrix { values: gradient, strides: [n, 1] };
            if wanted.weight {
                let x = Matrix { values: &part.values[span.start * k..span.end * k], strides: [1, k] };
                let to = weight.0[above * n..(above + k) * n].as_mut_ptr().cast();
                // SAFETY: `to` holds k·n floats and is not read.
                unsafe { product([k, n, m], to, false, x, g, parallelism) };
            }
            if let Some(target) = target {
                let transposed = Matrix { values: &w[above * n..(above + k) * n], strides: [1, n] };
                // SAFETY: `target` holds m·k floats and is not read.
                unsafe { product([m, k, n], target.as_mut_ptr().cast(), false, g, transposed, parallelism) };
            }
            above += k;
        }
        // SAFETY: the parts' products wrote all of it, where it is wanted; else it is empty.
        self.share.weight = unsafe { weight.written() };
    }
}

/// Leaves the gradient where the output is above zero, and adds it up over rows.
#[inline(always)]
pub(crate) fn mask(gradient: &mut [f32], cut: &[f32], bias: &mut [f32]) {
    let n = bias.len();
    for (row, cut) in gradient.chunks_exact_mut(n).zip(cut.chunks_exact(n)) {
        for ((g, y), b) in row.iter_mut().zip(cut).zip(bias.iter_mut()) {
            *g = if *y > 0.0 { *g } else { 0.0 };
            *b += *g;
        }
    }
}

#[inline(always)]
pub(crate) fn add(sum: &mut [f32], values: &[f32]) {
    sum.iter_mut().zip(values).for_each(|(s, v)| *s += v);
}

/// The sum of the blocks' shares, in the order of the blocks.
pub(crate) fn total(shares: Vec<&[f32]>) -> Vec<f32> {
    let mut sum = shares.first().map(|s| s.to_vec()).unwrap_or_default();
    sum.par_chunks_mut(1 << 14).enumerate().for_each(|(chunk, sum)| {
        let first = chunk << 14;
        let last = first + sum.len();
        for share in &shares[1.min(shares.len())..] {
            vectorized!(add(sum, &share[first..last]));
        }
    });
    sum
}
