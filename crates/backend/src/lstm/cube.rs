//! The operation on devices with kernels.

use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernel;
use super::op::{Operands, Remembers};
use crate::cubes::{Rows, empty, filled};
use crate::dense::weight_gradient;

impl Operands<CubeBackend> {
    /// Width of a state, and how rows are dealt to groups of threads.
    fn sizes(&self) -> (usize, Rows) {
        let width = self.recurrent.meta.shape()[0];
        (width, Rows::of(&self.host, width))
    }
}

impl Remembers for CubeBackend {
    fn plain(tensor: CubeTensor) -> CubeTensor {
        into_contiguous(tensor)
    }

    fn forward(operands: &Operands<Self>) -> (CubeTensor, CubeTensor) {
        let (width, rows) = operands.sizes();
        let positions = operands.xw.meta.shape()[0];
        let (states, kept) = (empty(&operands.xw, [positions, width]), empty(&operands.xw, [positions, 5 * width]));
        kernel::forward::launch(
            &states.client.clone(),
            rows.groups(),
            CubeDim::new_1d(rows.threads as u32),
            operands.xw.clone().into_tensor_arg(),
            operands.recurrent.clone().into_tensor_arg(),
            operands.peepholes.clone().into_tensor_arg(),
            operands.offsets.clone().into_tensor_arg(),
            states.clone().into_tensor_arg(),
            kept.clone().into_tensor_arg(),
            rows.count,
            rows.longest,
            width,
            rows.threads,
        );
        (states, kept)
    }

    fn backward(
        operands: &Operands<Self>,
        states: &CubeTensor,
        kept: &CubeTensor,
        gradient: CubeTensor,
    ) -> [CubeTensor; 3] {
        let (width, rows) = operands.sizes();
        let positions = states.meta.shape()[0];
        let new = |columns: usize| empty(states, [positions, columns]);
        let (to_xw, before, of_peepholes) = (new(4 * width), new(width), new(3 * width));
        kernel::backward::launch(
            &states.client.clone(),
            rows.groups(),
            CubeDim::new_1d(rows.threads as u32),
            operands.recurrent.clone().into_tensor_arg(),
            operands.peepholes.clone().into_tensor_arg(),
            operands.offsets.clone().into_tensor_arg(),
            states.clone().into_tensor_arg(),
            kept.clone().into_tensor_arg(),
            gradient.into_tensor_arg(),
            to_xw.clone().into_tensor_arg(),
            before.clone().into_tensor_arg(),
            of_peepholes.clone().into_tensor_arg(),
            rows.count,
            rows.longest,
            width,
            rows.threads,
        );
        let to_recurrent = weight_gradient(before, to_xw.clone(), operands.recurrent.clone());
        // Sums over all positions are a product with ones.
        let (ones, row) = (filled(states, [positions, 1], 1.0), empty(states, [1, 3 * width]));
        let to_peepholes = weight_gradient(ones, of_peepholes, row);
        [to_xw, to_recurrent, reshaped(to_peepholes, [3, width])]
    }
}

/// The same numbers in another shape.
fn reshaped(tensor: CubeTensor, shape: [usize; 2]) -> CubeTensor {
    let CubeTensor { client, device, handle, dtype, .. } = tensor;
    CubeTensor::new_contiguous(client, device, burn::backend::Shape::from(shape.to_vec()), handle, dtype)
}
