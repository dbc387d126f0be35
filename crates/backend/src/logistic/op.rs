//! The loss behind Burn's run-time dispatch.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::{CubeCount, CubeDim};

use super::kernel::{self, GROUP};
use crate::cubes::{a_thread_each, empty};
use crate::tracked::tracked;

#[backend_extension(Cube, Autodiff)]
pub(crate) trait LossOps: Backend {
    /// The loss `[1]`; `weights` are not read where `weighted` is false.
    fn logistic(
        scores: FloatTensor<Self>,
        labels: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        weighted: bool,
        scale: f32,
    ) -> FloatTensor<Self>;
}

/// See [`super::logistic_loss`]; each row weighs `scale` times its weight.
pub(super) fn logistic_loss(
    scores: &Tensor<2>,
    labels: &Tensor<2>,
    weights: Option<&Tensor<2>>,
    scale: f32,
) -> Tensor<1> {
    let plain = |t: &Tensor<2>| t.clone().into_dispatch();
    let loss = <Dispatch as LossOps>::logistic(
        plain(scores),
        plain(labels),
        plain(weights.unwrap_or(labels)),
        weights.is_some(),
        scale,
    );
    Tensor::from_dispatch(loss)
}

/// The loss `[1]` and its gradient `[B, 1]`.
fn both(
    scores: CubeTensor,
    labels: CubeTensor,
    weights: CubeTensor,
    weighted: bool,
    scale: f32,
) -> (CubeTensor, CubeTensor) {
    let scores = into_contiguous(scores);
    let rows = scores.meta.num_elements();
    let (loss, gradient) = (empty(&scores, [1]), empty(&scores, [rows, 1]));
    kernel::logistic::launch(
        &scores.client.clone(),
        CubeCount::new_single(),
        CubeDim::new_1d(GROUP as u32),
        scores.into_tensor_arg(),
        into_contiguous(labels).into_tensor_arg(),
        into_contiguous(weights).into_tensor_arg(),
        loss.clone().into_tensor_arg(),
        gradient.clone().into_tensor_arg(),
        rows,
        scale,
        weighted,
    );
    (loss, gradient)
}

impl LossOps for CubeBackend {
    fn logistic(scores: CubeTensor, labels: CubeTensor, weights: CubeTensor, weighted: bool, scale: f32) -> CubeTensor {
        both(scores, labels, weights, weighted, scale).0
    }
}

#[derive(Debug)]
struct Logistic;

impl Backward<CubeBackend, 1> for Logistic {
    /// The gradient of a loss that counts once.
    type State = CubeTensor;

    fn backward(self, ops: Ops<CubeTensor, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let by = grads.consume::<CubeBackend>(&ops.node);
        let ([parent], gradient) = (ops.parents, ops.state);
        let Some(node) = parent else { return };
        let length = gradient.meta.num_elements();
        let out = empty(&gradient, [length, 1]);
        if length > 0 {
            let (count, threads) = a_thread_each(&out, length);
            let (client, to) = (out.client.clone(), out.clone().into_tensor_arg());
            let by = into_contiguous(by).into_tensor_arg();
            kernel::times_one::launch(&client, count, threads, gradient.into_tensor_arg(), by, to, length);
        }
        grads.register::<CubeBackend>(node.id, out);
    }
}

impl<C: CheckpointStrategy> LossOps for Autodiff<CubeBackend, C> {
    fn logistic(
        scores: FloatTensor<Self>,
        labels: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        weighted: bool,
        scale: f32,
    ) -> FloatTensor<Self> {
        let (scores, node) = scores.into_parts();
        let (loss, gradient) = both(scores, labels.into_parts().0, weights.into_parts().0, weighted, scale);
        tracked!(Logistic, [node], gradient, loss)
    }
}
