//! The operation behind Burn's run-time dispatch: on flex, plain.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::TensorData;

use super::kernel::{self, Part};

/// Fused layers; see [`super::dense`].
#[backend_extension(Flex, Autodiff)]
pub(crate) trait DenseOps: Backend {
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

/// A tensor of the flex backend.
pub(crate) type Flat = FloatTensor<Flex>;

/// Row-major values of a tensor; copied only if it is a view.
pub(crate) fn contiguous(tensor: Flat) -> Flat {
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}

/// A tensor whose storage is its values, row-major from the start.
pub(crate) fn own(tensor: Flat) -> Flat {
    if tensor.is_contiguous() && tensor.layout().start_offset() == 0 { tensor } else { tensor.to_contiguous() }
}

/// The values of a tensor that [`contiguous`] gave.
pub(crate) fn values(tensor: &Flat) -> &[f32] {
    tensor.as_slice::<f32>().unwrap_or_default()
}

pub(crate) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Flat {
    Flat::from_data(TensorData::new(values, shape))
}

pub(super) fn part(tensor: &Flat) -> Part<'_> {
    Part { values: values(tensor), width: tensor.shape()[1] }
}

/// Which tensor, if any, stands beside x in an operation.
#[derive(Clone, Debug)]
pub(super) enum Fourth {
    /// None.
    Nothing,
    /// More inputs, multiplied by the last rows of the weight.
    More(Flat),
    /// A sum to add before the activation.
    Residual(Flat),
}

pub(super) fn forward(x: &Flat, fourth: &Fourth, w: &Flat, b: &Flat, relu: bool) -> Flat {
    let (rows, outputs) = (x.shape()[0], w.shape()[1]);
    let parts = match fourth {
        Fourth::More(more) => vec![part(x), part(more)],
        _ => vec![part(x)],
    };
    let residual = match fourth {
        Fourth::Residual(residual) => Some(values(residual)),
        _ => None,
    };
    tensor(kernel::forward(rows, &parts, values(w), values(b), residual, relu), [rows, outputs])
}

impl DenseOps for Flex {
    fn dense(x: Flat, w: Flat, b: Flat, relu: bool) -> Flat {
        forward(&contiguous(x), &Fourth::Nothing, &contiguous(w), &contiguous(b), relu)
    }

    fn dense_beside(x: Flat, more: Flat, w: Flat, b: Flat, relu: bool) -> Flat {
        forward(&contiguous(x), &Fourth::More(contiguous(more)), &contiguous(w), &contiguous(b), relu)
    }

    fn dense_residual(x: Flat, residual: Flat, w: Flat, b: Flat, relu: bool) -> Flat {
        forward(&contiguous(x), &Fourth::Residual(contiguous(residual)), &contiguous(w), &contiguous(b), relu)
    }
}
