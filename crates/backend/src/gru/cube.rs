//! The operation on devices with kernels: a launch forward; back a launch through time, and a product for the weight.

use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::cube_kernel as kernel;
use super::op::{Operands, Recurs};
use super::update::Update;
use crate::cubes::{Rows, empty};
use crate::dense::weight_gradient;

/// The rule as kernels know it.
fn rule(update: Update) -> u32 {
    match update {
        Update::Plain => kernel::PLAIN,
        Update::Scaled => kernel::SCALED,
        Update::Attention => kernel::ATTENTION,
        Update::Released => kernel::RELEASED,
    }
}

/// Width of a state, and how rows are dealt to groups of threads.
fn sizes(operands: &Operands<CubeBackend>) -> (usize, Rows) {
    let width = operands.weight.meta.shape()[0];
    (width, Rows::of(&operands.host, width))
}

impl Recurs for CubeBackend {
    fn plain(tensor: CubeTensor) -> CubeTensor {
        into_contiguous(tensor)
    }

    fn forward(operands: &Operands<Self>) -> (CubeTensor, CubeTensor) {
        let (width, rows) = sizes(operands);
        let positions = operands.xw.meta.shape()[0];
        let (states, gates) = (empty(&operands.xw, [positions, width]), empty(&operands.xw, [positions, 4 * width]));
        if positions * width > 0 {
            kernel::forward::launch(
                &states.client.clone(),
                rows.groups(),
                CubeDim::new_1d(rows.threads as u32),
                operands.xw.clone().into_tensor_arg(),
                operands.attention.clone().into_tensor_arg(),
                operands.weight.clone().into_tensor_arg(),
                operands.offsets.clone().into_tensor_arg(),
                states.clone().into_tensor_arg(),
                gates.clone().into_tensor_arg(),
                rows.count,
                rows.longest,
                width,
                rows.threads,
                rule(operands.update),
            );
        }
        (states, gates)
    }

    fn backward(
        operands: &Operands<Self>,
        states: &CubeTensor,
        gates: &CubeTensor,
        gradient: CubeTensor,
    ) -> [CubeTensor; 3] {
        let (width, rows) = sizes(operands);
        let positions = states.meta.shape()[0];
        let new = |columns: usize| empty(states, [positions, columns]);
        let (to_xw, to_product, before, to_attention) = (new(3 * width), new(3 * width), new(width), new(1));
        if positions * width > 0 {
            kernel::backward::launch(
                &states.client.clone(),
                rows.groups(),
                CubeDim::new_1d(rows.threads as u32),
                operands.attention.clone().into_tensor_arg(),
                operands.weight.clone().into_tensor_arg(),
                operands.offsets.clone().into_tensor_arg(),
                states.clone().into_tensor_arg(),
                gates.clone().into_tensor_arg(),
                gradient.into_tensor_arg(),
                to_xw.clone().into_tensor_arg(),
                to_product.clone().into_tensor_arg(),
                before.clone().into_tensor_arg(),
                to_attention.clone().into_tensor_arg(),
                rows.count,
                rows.longest,
                width,
                rows.threads,
                rule(operands.update),
            );
        }
        [to_xw, to_attention, weight_gradient(before, to_product, operands.weight.clone())]
    }
}
