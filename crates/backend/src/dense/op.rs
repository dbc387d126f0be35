//! The operation behind Burn's run-time dispatch, and what a backend computes of it.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

/// Fused layers; see [`super::dense`].
#[backend_extension(Flex, Cube: cfg(feature = "cube"), Autodiff)]
pub(crate) trait DenseOps: Backend {
    fn multiply(x: FloatTensor<Self>, w: FloatTensor<Self>) -> FloatTensor<Self>;

    fn dense_plus(x: FloatTensor<Self>, residual: FloatTensor<Self>, w: FloatTensor<Self>) -> FloatTensor<Self>;

    fn dense(x: FloatTensor<Self>, w: FloatTensor<Self>, b: FloatTensor<Self>, relu: bool) -> FloatTensor<Self>;

    fn dense_beside(
        x: FloatTensor<Self>,
        more: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self>;

    fn dense_residual(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self>;
}

/// Which tensor, if any, stands beside x in an operation.
#[derive(Clone, Debug)]
pub(super) enum Fourth<B: Backend> {
    /// None.
    Nothing,
    /// More inputs, multiplied by the last rows of the weight.
    More(FloatTensor<B>),
    /// A sum to add before the activation.
    Residual(FloatTensor<B>),
    /// Such a sum on the way back, which does not need it again.
    Added,
}

/// What the way back needs.
#[derive(Clone, Debug)]
pub(super) struct State<B: Backend> {
    pub(super) x: FloatTensor<B>,
    pub(super) fourth: Fourth<B>,
    pub(super) w: FloatTensor<B>,
    /// The output, where an activation cut it.
    pub(super) cut: Option<FloatTensor<B>>,
}

/// A backend that computes layers.
pub(super) trait Layer: Backend {
    /// The same numbers row by row.
    fn plain(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `act([x, more]·W + b + residual)` of plain tensors.
    fn forward(
        x: &FloatTensor<Self>,
        fourth: &Fourth<Self>,
        w: &FloatTensor<Self>,
        b: Option<&FloatTensor<Self>>,
        relu: bool,
    ) -> FloatTensor<Self>;

    /// Gradients of x, W, b and the fourth tensor, of those that are wanted.
    fn backward(state: State<Self>, gradient: FloatTensor<Self>, wanted: [bool; 4]) -> [Option<FloatTensor<Self>>; 4];
}

/// A backend's operations of what it computes.
macro_rules! ops_of {
    ($backend:ty, $tensor:ty) => {
        impl $crate::dense::op::DenseOps for $backend {
            fn multiply(x: $tensor, w: $tensor) -> $tensor {
                Self::forward(&Self::plain(x), &Fourth::Nothing, &Self::plain(w), None, false)
            }

            fn dense_plus(x: $tensor, residual: $tensor, w: $tensor) -> $tensor {
                let residual = Fourth::Residual(Self::plain(residual));
                Self::forward(&Self::plain(x), &residual, &Self::plain(w), None, false)
            }

            fn dense(x: $tensor, w: $tensor, b: $tensor, relu: bool) -> $tensor {
                Self::forward(&Self::plain(x), &Fourth::Nothing, &Self::plain(w), Some(&Self::plain(b)), relu)
            }

            fn dense_beside(x: $tensor, more: $tensor, w: $tensor, b: $tensor, relu: bool) -> $tensor {
                let more = Fourth::More(Self::plain(more));
                Self::forward(&Self::plain(x), &more, &Self::plain(w), Some(&Self::plain(b)), relu)
            }

            fn dense_residual(x: $tensor, residual: $tensor, w: $tensor, b: $tensor, relu: bool) -> $tensor {
                let residual = Fourth::Residual(Self::plain(residual));
                Self::forward(&Self::plain(x), &residual, &Self::plain(w), Some(&Self::plain(b)), relu)
            }
        }
    };
}

pub(super) use ops_of;
