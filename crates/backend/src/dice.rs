//! The Dice activation as one operation, forward and backward: two passes each over the batch.
#![allow(unsafe_code, reason = "output buffers that are not zeroed first")]

use std::mem::MaybeUninit;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, activation::sigmoid};
use rayon::prelude::*;

use crate::dense::{Flat, contiguous, tensor, values};
use crate::fresh::Fresh;
use crate::kind::is_flex;
use crate::math::sigmoid as one_sigmoid;
use crate::parts::{add_row, mul_row, sum_rows};
use crate::tracked::tracked;
use crate::vectorized;

/// Rows that one task takes.
const ROWS: usize = 512;
/// Added to a variance.
const EPSILON: f32 = 1e-8;

/// `p·s + (1 - p)·α·s` with `p = σ((s - mean) / √(variance + 1e-8))` (Zhou et al., KDD 2018). With `of_batch` mean and
/// variance are those of `s` itself, and gradients flow through them.
///
/// # Shapes
/// - `s`: `[n, h]`, `alpha`, `mean`, `variance`: `[h]`
/// - output: `[n, h]`
pub fn dice(s: Tensor<2>, alpha: Tensor<1>, mean: Tensor<1>, variance: Tensor<1>, of_batch: bool) -> Tensor<2> {
    if is_flex(&s.device()) {
        return Tensor::from_dispatch(<Dispatch as DiceOps>::dice(
            s.into_dispatch(),
            alpha.into_dispatch(),
            mean.detach().into_dispatch(),
            variance.detach().into_dispatch(),
            of_batch,
        ));
    }
    let normal = match of_batch {
        true => {
            let rows = s.dims()[0] as f64;
            let centred = add_row(s.clone(), sum_rows(s.clone()) / -rows);
            let variance = sum_rows(centred.clone() * centred.clone()) / rows;
            mul_row(centred, (variance + EPSILON).sqrt().recip())
        }
        false => (s.clone() - mean.unsqueeze::<2>()) / (variance.unsqueeze::<2>() + EPSILON).sqrt(),
    };
    let below = mul_row(s.clone(), alpha.unsqueeze::<2>());
    sigmoid(normal) * (s - below.clone()) + below
}

/// Mean and variance (over n, not n - 1) of each column, off the graph.
///
/// # Shapes
/// - `s`: `[n, h]`, n above 0
/// - output: two of `[h]`
pub fn moments(s: &Tensor<2>) -> (Tensor<1>, Tensor<1>) {
    let (s, tracked) = (s.clone().detach(), s.device());
    let back = |t: Tensor<1>| if tracked.is_autodiff() { Tensor::from_inner(t) } else { t };
    let s = if tracked.is_autodiff() { s.inner() } else { s };
    if !is_flex(&tracked) {
        let rows = s.dims()[0] as f64;
        let mean = sum_rows(s.clone()) / rows;
        let centred = s - mean.clone();
        let variance = sum_rows(centred.clone() * centred) / rows;
        return (back(mean.flatten(0, 1)), back(variance.flatten(0, 1)));
    }
    let device = s.device();
    let data = s.into_data();
    let width = data.shape()[1];
    let (mean, variance) = column_moments(data.as_slice::<f32>().unwrap_or_default(), width);
    let of = |values: Vec<f32>| back(Tensor::from_floats(values.as_slice(), &device));
    (of(mean), of(variance))
}

/// Sums of columns in blocks of rows, added in their order.
fn column_sums<const N: usize>(
    rows: usize,
    width: usize,
    add: impl Fn(std::ops::Range<usize>, &mut [Vec<f32>; N]) + Sync,
) -> [Vec<f32>; N] {
    let parts: Vec<[Vec<f32>; N]> = (0..rows.div_ceil(ROWS))
        .into_par_iter()
        .map(|block| {
            let mut sums = std::array::from_fn(|_| vec![0.0; width]);
            add(block * ROWS..((block + 1) * ROWS).min(rows), &mut sums);
            sums
        })
        .collect();
    let mut all: [Vec<f32>; N] = std::array::from_fn(|_| vec![0.0; width]);
    for part in parts {
        for (all, part) in all.iter_mut().zip(part) {
            all.iter_mut().zip(part).for_each(|(a, p)| *a += p);
        }
    }
    all
}

fn column_moments(s: &[f32], width: usize) -> (Vec<f32>, Vec<f32>) {
    let rows = s.len() / width.max(1);
    let [mut mean] = column_sums(rows, width, |span, [sum]| {
        vectorized!(add_rows(&s[span.start * width..span.end * width], sum));
    });
    mean.iter_mut().for_each(|m| *m /= rows.max(1) as f32);
    let [mut variance] = column_sums(rows, width, |span, [sum]| {
        vectorized!(add_squares(&s[span.start * width..span.end * width], &mean, sum));
    });
    variance.iter_mut().for_each(|v| *v /= rows.max(1) as f32);
    (mean, variance)
}

#[inline(always)]
fn add_rows(s: &[f32], sum: &mut [f32]) {
    s.chunks_exact(sum.len()).for_each(|row| sum.iter_mut().zip(row).for_each(|(sum, s)| *sum += s));
}

#[inline(always)]
fn add_squares(s: &[f32], mean: &[f32], sum: &mut [f32]) {
    for row in s.chunks_exact(sum.len()) {
        sum.iter_mut().zip(row).zip(mean).for_each(|((sum, s), m)| *sum += (s - m) * (s - m));
    }
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait DiceOps: Backend {
    fn dice(
        s: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        of_batch: bool,
    ) -> FloatTensor<Self>;
}

/// What a column's numbers need.
struct Columns<'a> {
    alpha: &'a [f32],
    mean: &'a [f32],
    /// One over the deviation.
    scale: Vec<f32>,
}

impl<'a> Columns<'a> {
    fn new(alpha: &'a Flat, mean: &'a Flat, variance: &Flat) -> Self {
        let scale = values(variance).iter().map(|v| 1.0 / (v + EPSILON).sqrt()).collect();
        Self { alpha: values(alpha), mean: values(mean), scale }
    }

    fn width(&self) -> usize {
        self.alpha.len()
    }

    /// α, mean and scale of every column.
    #[inline(always)]
    fn each(&self) -> impl Iterator<Item = ((&f32, &f32), &f32)> {
        self.alpha.iter().zip(self.mean).zip(&self.scale)
    }

    #[inline(always)]
    fn forward(&self, s: &[f32], out: &mut [MaybeUninit<f32>]) {
        let h = self.width();
        for (row, out) in s.chunks_exact(h).zip(out.chunks_exact_mut(h)) {
            for ((s, out), ((alpha, mean), scale)) in row.iter().zip(out).zip(self.each()) {
                let p = one_sigmoid((s - mean) * scale);
                out.write(s * (alpha + p * (1.0 - alpha)));
            }
        }
    }

    /// Sums of the gradients of α, of the normalised numbers, and of those times the numbers.
    #[inline(always)]
    fn sums(&self, s: &[f32], g: &[f32], [alphas, normal, times]: &mut [Vec<f32>; 3]) {
        let h = self.width();
        for (row, g) in s.chunks_exact(h).zip(g.chunks_exact(h)) {
            let sums = alphas.iter_mut().zip(normal.iter_mut()).zip(times.iter_mut());
            for (((s, g), ((alpha, mean), scale)), ((of_alpha, normal), times)) in
                row.iter().zip(g).zip(self.each()).zip(sums)
            {
                let x = (s - mean) * scale;
                let p = one_sigmoid(x);
                let of_normal = g * s * (1.0 - alpha) * p * (1.0 - p);
                *of_alpha += g * s * (1.0 - p);
                *normal += of_normal;
                *times += of_normal * x;
            }
        }
    }

    /// The gradient of s; the means are zero where the statistics are not the batch's.
    #[inline(always)]
    fn back(&self, s: &[f32], g: &[f32], normal: &[f32], times: &[f32], out: &mut [MaybeUninit<f32>]) {
        let h = self.width();
        for ((row, g), out) in s.chunks_exact(h).zip(g.chunks_exact(h)).zip(out.chunks_exact_mut(h)) {
            let means = normal.iter().zip(times);
            for ((((s, g), out), ((alpha, mean), scale)), (normal, times)) in
                row.iter().zip(g).zip(out).zip(self.each()).zip(means)
            {
                let x = (s - mean) * scale;
                let p = one_sigmoid(x);
                let of_normal = g * s * (1.0 - alpha) * p * (1.0 - p);
                let direct = g * (alpha + p * (1.0 - alpha));
                out.write(direct + scale * (of_normal - normal - x * times));
            }
        }
    }
}

impl DiceOps for Flex {
    fn dice(s: Flat, alpha: Flat, mean: Flat, variance: Flat, _: bool) -> Flat {
        let (s, alpha, mean, variance) = (contiguous(s), contiguous(alpha), contiguous(mean), contiguous(variance));
        let (columns, x) = (Columns::new(&alpha, &mean, &variance), values(&s));
        let h = columns.width();
        let mut out = Fresh::new(x.len());
        out.0
            .par_chunks_mut((ROWS * h).max(1))
            .zip(x.par_chunks((ROWS * h).max(1)))
            .for_each(|(out, x)| vectorized!(columns.forward(x, out)));
        // SAFETY: the chunks cover all rows.
        tensor(unsafe { out.written() }, [s.shape()[0], h])
    }
}

#[derive(Clone, Debug)]
struct State {
    operands: [Flat; 4],
    of_batch: bool,
}

#[derive(Debug)]
struct Dice;

impl Backward<Flex, 2> for Dice {
    type State = State;

    fn backward(self, ops: Ops<State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(grads.consume::<Flex>(&ops.node));
        let State { operands: [s, alpha, mean, variance], of_batch } = ops.state;
        let (columns, x, g) = (Columns::new(&alpha, &mean, &variance), values(&s), values(&gradient));
        let (rows, h) = (s.shape()[0], columns.width());
        assert!(x.len() == g.len() && x.len() == rows * h, "the gradient is not [{rows}, {h}]");
        let [of_alpha, mut normal, mut times] = column_sums(rows, h, |span, sums| {
            let span = span.start * h..span.end * h;
            vectorized!(columns.sums(&x[span.clone()], &g[span], sums));
        });
        let share = if of_batch { 1.0 / rows.max(1) as f32 } else { 0.0 };
        normal.iter_mut().chain(&mut times).for_each(|sum| *sum *= share);
        let mut out = Fresh::new(x.len());
        out.0
            .par_chunks_mut((ROWS * h).max(1))
            .zip(x.par_chunks((ROWS * h).max(1)).zip(g.par_chunks((ROWS * h).max(1))))
            .for_each(|(out, (x, g))| vectorized!(columns.back(x, g, &normal, &times, out)));
        // SAFETY: the chunks cover all rows.
        let out = unsafe { out.written() };
        let [to_s, to_alpha] = ops.parents;
        if let Some(node) = to_s {
            grads.register::<Flex>(node.id, tensor(out, [rows, h]));
        }
        if let Some(node) = to_alpha {
            grads.register::<Flex>(node.id, tensor(of_alpha, [h]));
        }
    }
}

impl<C: CheckpointStrategy> DiceOps for Autodiff<Flex, C> {
    fn dice(
        s: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        of_batch: bool,
    ) -> FloatTensor<Self> {
        let ((s, a), (alpha, b)) = (s.into_parts(), alpha.into_parts());
        let (mean, variance) = (contiguous(mean.into_primitive()), contiguous(variance.into_primitive()));
        let operands = [contiguous(s), contiguous(alpha), mean, variance];
        let [s, alpha, mean, variance] = operands.clone();
        let output = Flex::dice(s, alpha, mean, variance, of_batch);
        tracked!(Dice, [a, b], State { operands, of_batch }, output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution, Tolerance};

    #[test]
    fn it_equals_the_composed_form_with_gradients_through_the_statistics() {
        let device = Device::flex().autodiff();
        for (rows, of_batch) in [(1300, true), (1300, false), (3, true)] {
            let s =
                (Tensor::<2>::random([rows, 5], Distribution::Default, &device) * 3.0 - 1.0).detach().require_grad();
            let alpha = Tensor::<1>::random([5], Distribution::Default, &device).require_grad();
            let pull = Tensor::<2>::random([rows, 5], Distribution::Default, &device);
            let (mean, variance) = match of_batch {
                true => moments(&s),
                false => (Tensor::<1>::full([5], 0.3, &device), Tensor::<1>::full([5], 2.0, &device)),
            };
            let of = |out: Tensor<2>| {
                let grads = (out.clone() * pull.clone()).sum().backward();
                [out.into_data(), s.grad(&grads).unwrap().into_data(), alpha.grad(&grads).unwrap().into_data()]
            };
            let ours = of(dice(s.clone(), alpha.clone(), mean.clone(), variance.clone(), of_batch));
            let (mean, variance) = match of_batch {
                true => {
                    let mean = s.clone().mean_dim(0);
                    let centred = s.clone() - mean.clone();
                    (mean, (centred.clone() * centred).mean_dim(0))
                }
                false => (mean.unsqueeze::<2>(), variance.unsqueeze::<2>()),
            };
            let gate = sigmoid((s.clone() - mean) / (variance + EPSILON).sqrt());
            let below = alpha.clone().unsqueeze::<2>() * s.clone();
            let composed = of(gate * (s.clone() - below.clone()) + below);
            for (o, c) in ours.iter().zip(&composed) {
                o.assert_approx_eq::<f32>(c, Tolerance::rel_abs(1e-3, 1e-4));
            }
        }
    }
}
