//! Sums over fields behind Burn's run-time dispatch.

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

use super::kernel;
use crate::cubes::{a_thread_each, empty};
use crate::tracked::tracked;

#[backend_extension(Cube, Autodiff)]
pub(crate) trait FieldOps: Backend {
    fn field_sums(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// See [`super::sum_fields`].
pub(super) fn sum_fields(x: Tensor<3>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as FieldOps>::field_sums(x.into_dispatch()))
}

impl FieldOps for CubeBackend {
    fn field_sums(x: CubeTensor) -> CubeTensor {
        let x = into_contiguous(x);
        let [rows, fields, width] = [x.meta.shape()[0], x.meta.shape()[1], x.meta.shape()[2]];
        let out = empty(&x, [rows, width]);
        if rows * width > 0 {
            let (count, threads) = a_thread_each(&out, rows * width);
            let client = out.client.clone();
            let to = out.clone().into_tensor_arg();
            kernel::field_sums::launch(&client, count, threads, x.into_tensor_arg(), to, fields, width, rows * width);
        }
        out
    }
}

#[derive(Debug)]
struct FieldSums;

impl Backward<CubeBackend, 1> for FieldSums {
    /// Rows, fields, width.
    type State = [usize; 3];

    fn backward(self, ops: Ops<[usize; 3], 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = into_contiguous(grads.consume::<CubeBackend>(&ops.node));
        let ([parent], [rows, fields, width]) = (ops.parents, ops.state);
        let Some(node) = parent else { return };
        let (out, length) = (empty(&gradient, [rows, fields, width]), rows * fields * width);
        if length > 0 {
            let (count, threads) = a_thread_each(&out, length);
            let (client, to) = (out.client.clone(), out.clone().into_tensor_arg());
            kernel::to_fields::launch(&client, count, threads, gradient.into_tensor_arg(), to, fields, width, length);
        }
        grads.register::<CubeBackend>(node.id, out);
    }
}

impl<C: CheckpointStrategy> FieldOps for Autodiff<CubeBackend, C> {
    fn field_sums(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let shape = [x.meta.shape()[0], x.meta.shape()[1], x.meta.shape()[2]];
        let output = CubeBackend::field_sums(x);
        tracked!(FieldSums, [node], shape, output)
    }
}
