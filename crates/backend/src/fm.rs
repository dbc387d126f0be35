//! The pair term of a factorization machine as one operation, forward and backward.
#![allow(unsafe_code, reason = "one output buffer that is not zeroed first")]

use std::mem::MaybeUninit;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use crate::fresh::Fresh;
use crate::kind::is_flex;
use crate::tracked::tracked;
use crate::vector::vectorized;

/// Batch rows that one task takes.
const ROWS_A_TASK: usize = 64;

/// `Σ_{i<j} <v_i, v_j> = ½ Σ_k [ (Σ_i v_ik)² - Σ_i v_ik² ]` (Rendle, ICDM 2010), in linear time.
///
/// # Shapes
/// - vectors `[B, F, k]`
/// - output `[B, 1]`
pub fn pair_term(vectors: Tensor<3>) -> Tensor<2> {
    if is_flex(&vectors.device()) {
        return Tensor::from_dispatch(<Dispatch as PairOps>::pair_term(vectors.into_dispatch()));
    }
    let sum: Tensor<3> = vectors.clone().sum_dim(1); // [B, 1, k]
    let square_of_sum = sum.clone() * sum; // [B, 1, k]
    let sum_of_squares: Tensor<3> = (vectors.clone() * vectors).sum_dim(1); // [B, 1, k]
    ((square_of_sum - sum_of_squares) * 0.5).sum_dim(2).flatten(1, 2) // [B, 1]
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait PairOps: Backend {
    fn pair_term(vectors: FloatTensor<Self>) -> FloatTensor<Self>;
}

type Flat = FloatTensor<Flex>;

fn plain(tensor: Flat) -> Flat {
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}

/// Sums, and sums of squares, of a row's vectors, number by number.
#[inline(always)]
fn sum_fields(row: &[f32], sum: &mut [f32], squares: &mut [f32]) {
    sum.fill(0.0);
    squares.fill(0.0);
    for vector in row.chunks_exact(sum.len()) {
        for ((s, q), v) in sum.iter_mut().zip(squares.iter_mut()).zip(vector) {
            *s += v;
            *q += v * v;
        }
    }
}

#[inline(always)]
fn term(row: &[f32], sum: &mut [f32], squares: &mut [f32]) -> f32 {
    sum_fields(row, sum, squares);
    0.5 * sum.iter().zip(squares).map(|(s, q)| s * s - *q).sum::<f32>()
}

/// `∂/∂v_i = Σ_j v_j - v_i`, times the gradient of the term.
#[inline(always)]
fn back(row: &[f32], gradient: f32, sum: &mut [f32], squares: &mut [f32], to: &mut [MaybeUninit<f32>]) {
    sum_fields(row, sum, squares);
    for (vector, to) in row.chunks_exact(sum.len()).zip(to.chunks_exact_mut(sum.len())) {
        for ((s, v), to) in sum.iter().zip(vector).zip(to) {
            to.write(gradient * (s - v));
        }
    }
}

/// [`term`] of every row; always inlined, as a closure of its length would not be, into what may use wide vectors.
#[inline(always)]
fn terms(rows: &[f32], width: usize, sum: &mut [f32], squares: &mut [f32], out: &mut [f32]) {
    for (out, row) in out.iter_mut().zip(rows.chunks_exact(width)) {
        *out = term(row, sum, squares);
    }
}

/// [`back`] of every row.
#[inline(always)]
fn backs(
    rows: &[f32],
    width: usize,
    gradients: &[f32],
    sum: &mut [f32],
    squares: &mut [f32],
    to: &mut [MaybeUninit<f32>],
) {
    for ((to, row), gradient) in to.chunks_exact_mut(width).zip(rows.chunks_exact(width)).zip(gradients) {
        back(row, *gradient, sum, squares, to);
    }
}

impl PairOps for Flex {
    fn pair_term(vectors: Flat) -> Flat {
        let vectors = plain(vectors);
        let [rows, fields, dim] = [vectors.shape()[0], vectors.shape()[1], vectors.shape()[2]];
        let values = vectors.as_slice::<f32>().unwrap_or_default();
        let width = (fields * dim).max(1);
        let mut out = vec![0.0; rows];
        out.par_chunks_mut(ROWS_A_TASK).zip(values.par_chunks(width * ROWS_A_TASK)).for_each(|(out, rows)| {
            let (mut sum, mut squares) = (vec![0.0; dim], vec![0.0; dim]);
            vectorized(|| terms(rows, width, &mut sum, &mut squares, out));
        });
        Flat::from_data(TensorData::new(out, [rows, 1]))
    }
}

#[derive(Debug)]
struct PairTerm;

impl Backward<Flex, 1> for PairTerm {
    type State = Flat;

    fn backward(self, ops: Ops<Flat, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = plain(grads.consume::<Flex>(&ops.node));
        let [parent] = ops.parents;
        let Some(node) = parent else { return };
        let [rows, fields, dim] = [ops.state.shape()[0], ops.state.shape()[1], ops.state.shape()[2]];
        let width = (fields * dim).max(1);
        let values = ops.state.as_slice::<f32>().unwrap_or_default();
        let gradients = gradient.as_slice::<f32>().unwrap_or_default();
        let mut to = Fresh::new(values.len());
        assert!(values.len() == rows * fields * dim && gradients.len() == rows, "the gradient is not [{rows}, 1]");
        if fields * dim > 0 {
            to.0.par_chunks_mut(width * ROWS_A_TASK)
                .zip(values.par_chunks(width * ROWS_A_TASK))
                .zip(gradients.par_chunks(ROWS_A_TASK))
                .for_each(|((to, rows), gradients)| {
                    let (mut sum, mut squares) = (vec![0.0; dim], vec![0.0; dim]);
                    vectorized(|| backs(rows, width, gradients, &mut sum, &mut squares, to));
                });
        }
        // SAFETY: the tasks cover all rows, and `back` writes every number of its row.
        let to = unsafe { to.written() };
        grads.register::<Flex>(node.id, Flat::from_data(TensorData::new(to, [rows, fields, dim])));
    }
}

impl<C: CheckpointStrategy> PairOps for Autodiff<Flex, C> {
    fn pair_term(vectors: FloatTensor<Self>) -> FloatTensor<Self> {
        let (vectors, node) = vectors.into_parts();
        let vectors = plain(vectors);
        let output = Flex::pair_term(vectors.clone());
        tracked!(PairTerm, [node], vectors, output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn three_features_give_the_hand_computed_pair_term() {
        // x = (1, 2, 3), v = (1, 2), (3, -1), (.5, 1): scaled vectors (1, 2), (6, -2), (1.5, 3).
        let vectors = Tensor::<3>::from_floats([[[1.0, 2.0], [6.0, -2.0], [1.5, 3.0]]], &Device::flex());
        let term: Vec<f32> = pair_term(vectors).into_data().try_to_vec().unwrap();
        assert!((term[0] - 12.5).abs() < 1e-5, "{term:?}");
    }

    #[test]
    fn the_gradient_is_the_sum_of_the_other_vectors() {
        let device = Device::flex().autodiff();
        let vectors = Tensor::<3>::random([200, 5, 3], Distribution::Default, &device).require_grad();
        let pull = Tensor::<2>::random([200, 1], Distribution::Default, &device);
        let grads = (pair_term(vectors.clone()) * pull.clone()).sum().backward();
        let found: Vec<f32> = vectors.grad(&grads).unwrap().into_data().try_to_vec().unwrap();
        let v: Vec<f32> = vectors.into_data().try_to_vec().unwrap();
        let g: Vec<f32> = pull.into_data().try_to_vec().unwrap();
        for (at, found) in found.iter().enumerate() {
            let (b, i, d) = (at / 15, at / 3 % 5, at % 3);
            let others: f32 = (0..5).filter(|j| *j != i).map(|j| v[b * 15 + j * 3 + d]).sum();
            assert!((found - g[b] * others).abs() < 1e-5, "{at}: {found} {}", g[b] * others);
        }
    }
}
