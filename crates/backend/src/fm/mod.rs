//! The pair term of a factorization machine as one operation, forward and backward.

#[cfg(feature = "cube")]
mod cube;
mod flex;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

use crate::kind::{has_kernels, is_flex};
use crate::tracked::tracked;

/// Numbers of the widest vectors that kernels sum in one group of threads.
const WIDEST: usize = 256;

/// `Σ_{i<j} <v_i, v_j> = ½ Σ_k [ (Σ_i v_ik)² - Σ_i v_ik² ]` (Rendle, ICDM 2010), in linear time.
///
/// # Shapes
/// - vectors `[B, F, k]`
/// - output `[B, 1]`
pub fn pair_term(vectors: Tensor<3>) -> Tensor<2> {
    let fits = (1..=WIDEST).contains(&vectors.dims()[2]);
    if is_flex(&vectors.device()) || (has_kernels(&vectors.device()) && fits) {
        return Tensor::from_dispatch(<Dispatch as PairOps>::pair_term(vectors.into_dispatch()));
    }
    let sum: Tensor<3> = vectors.clone().sum_dim(1); // [B, 1, k]
    let square_of_sum = sum.clone() * sum; // [B, 1, k]
    let sum_of_squares: Tensor<3> = (vectors.clone() * vectors).sum_dim(1); // [B, 1, k]
    ((square_of_sum - sum_of_squares) * 0.5).sum_dim(2).flatten(1, 2) // [B, 1]
}

#[backend_extension(Flex, Cube: cfg(feature = "cube"), Autodiff)]
pub(crate) trait PairOps: Backend {
    fn pair_term(vectors: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// A backend that computes the term and its way back.
trait Pairs: Backend {
    /// The same numbers row by row.
    fn plain(vectors: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The terms `[B, 1]`, and what the way back can use: the sums of vectors `[B, k]`.
    fn terms(vectors: &FloatTensor<Self>) -> (FloatTensor<Self>, Option<FloatTensor<Self>>);

    /// `∂/∂v_i = Σ_j v_j - v_i`, times the gradients `[B, 1]` of the terms.
    fn back(
        vectors: FloatTensor<Self>,
        sums: Option<FloatTensor<Self>>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

#[derive(Debug)]
struct PairTerm;

impl<B: Pairs> Backward<B, 1> for PairTerm {
    type State = (FloatTensor<B>, Option<FloatTensor<B>>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let ([parent], (vectors, sums)) = (ops.parents, ops.state);
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::back(vectors, sums, gradient));
        }
    }
}

impl<B: Pairs + PairOps, C: CheckpointStrategy> PairOps for Autodiff<B, C> {
    fn pair_term(vectors: FloatTensor<Self>) -> FloatTensor<Self> {
        let (vectors, node) = vectors.into_parts();
        let vectors = B::plain(vectors);
        let (output, sums) = B::terms(&vectors);
        tracked!(PairTerm, [node], (vectors, sums), output)
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

    fn gradients_are_sums_of_the_other_vectors(device: &Device) {
        let device = device.clone().autodiff();
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

    #[test]
    fn the_gradient_is_the_sum_of_the_other_vectors() {
        gradients_are_sums_of_the_other_vectors(&Device::flex());
    }

    #[test]
    fn a_gpu_gives_the_same_terms_and_gradients() {
        let Ok(opened) = crate::open(crate::DeviceName::Wgpu) else { return crate::testing::skipped() };
        gradients_are_sums_of_the_other_vectors(&opened.device);
        for shape in [[1, 1, 1], [37, 4, 16], [65, 3, 5], [3, 2, 256], [4, 3, 300], [700, 26, 16]] {
            let vectors = Tensor::<3>::random(shape, Distribution::Default, &Device::flex());
            let there = Tensor::<3>::from_data(vectors.clone().into_data(), &opened.device);
            crate::testing::close(
                &crate::testing::numbers(pair_term(there)),
                &crate::testing::numbers(pair_term(vectors)),
                &format!("{shape:?}"),
            );
        }
    }
}
