//! Mixtures of experts over slices of host memory: each row's experts are read once for all gates, and nothing between is
//! written down.

use rayon::prelude::*;

use crate::fresh::filled_by_chunks;
use crate::vectorized;

/// Rows of a task.
const ROWS: usize = 64;

/// Sums that a product of two vectors goes along beside each other.
const LANES: usize = 16;

/// `G` gates over `E` experts of `h` columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) gates: usize,
    pub(super) experts: usize,
    pub(super) width: usize,
}

impl Shape {
    fn check(self, shares: &[f32], experts: &[f32]) {
        let Self { rows, gates, experts: count, width } = self;
        let fits = shares.len() == rows * gates * count && experts.len() == rows * count * width;
        assert!(fits && gates * count * width > 0, "a mixture does not fit: {self:?}");
    }
}

/// `out[b, g] = Σ_e shares[b, g, e]·experts[b, e]`.
pub(super) fn forward(shape: Shape, shares: &[f32], experts: &[f32]) -> Vec<f32> {
    shape.check(shares, experts);
    let Shape { rows, gates, experts: count, width } = shape;
    filled_by_chunks(rows * gates * width, ROWS * gates * width, |number, out| {
        let first = number * ROWS;
        let own = shares[first * gates * count..].chunks_exact(gates * count);
        let each = experts[first * count * width..].chunks_exact(count * width);
        vectorized!({
            for ((out, shares), experts) in out.chunks_exact_mut(gates * width).zip(own).zip(each) {
                for (out, shares) in out.chunks_exact_mut(width).zip(shares.chunks_exact(count)) {
                    for (share, expert) in shares.iter().zip(experts.chunks_exact(width)) {
                        add_scaled(out, expert, *share);
                    }
                }
            }
        });
    })
}

/// The gradients of the shares and of the experts, from that of the output.
pub(super) fn backward(shape: Shape, shares: &[f32], experts: &[f32], gradient: &[f32]) -> [Vec<f32>; 2] {
    shape.check(shares, experts);
    let Shape { rows, gates, experts: count, width } = shape;
    assert!(gradient.len() == rows * gates * width, "a gradient of {shape:?}");
    let mut of_shares = vec![0.0; rows * gates * count];
    let of_experts = filled_by_chunks(rows * count * width, ROWS * count * width, |number, out| {
        let first = number * ROWS;
        let own = shares[first * gates * count..].chunks_exact(gates * count);
        let pulls = gradient[first * gates * width..].chunks_exact(gates * width);
        vectorized!({
            for ((out, shares), pull) in out.chunks_exact_mut(count * width).zip(own).zip(pulls) {
                for (shares, pull) in shares.chunks_exact(count).zip(pull.chunks_exact(width)) {
                    for (out, share) in out.chunks_exact_mut(width).zip(shares) {
                        add_scaled(out, pull, *share);
                    }
                }
            }
        });
    });
    of_shares.par_chunks_mut(ROWS * gates * count).enumerate().for_each(|(number, out)| {
        let first = number * ROWS;
        let each = experts[first * count * width..].chunks_exact(count * width);
        let pulls = gradient[first * gates * width..].chunks_exact(gates * width);
        vectorized!({
            for ((out, experts), pull) in out.chunks_exact_mut(gates * count).zip(each).zip(pulls) {
                for (out, pull) in out.chunks_exact_mut(count).zip(pull.chunks_exact(width)) {
                    out.iter_mut().zip(experts.chunks_exact(width)).for_each(|(out, e)| *out = inner(pull, e));
                }
            }
        });
    });
    [of_shares, of_experts]
}

#[inline(always)]
fn add_scaled(to: &mut [f32], values: &[f32], scale: f32) {
    to.iter_mut().zip(values).for_each(|(t, v)| *t += scale * v);
}

/// The inner product, in an order that no vector's width changes.
#[inline(always)]
fn inner(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (wide, rest) = (a.chunks_exact(LANES).zip(b.chunks_exact(LANES)), a.len() / LANES * LANES);
    for (a, b) in wide {
        lanes.iter_mut().zip(a).zip(b).for_each(|((lane, a), b)| *lane += a * b);
    }
    let left: f32 = a[rest..].iter().zip(&b[rest..]).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + left
}
