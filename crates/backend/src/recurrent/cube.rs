//! Units on devices with kernels: a launch forward; back a launch through time, and products for the weights.

use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::op::{Operands, Recurs};
use super::unit::{Unit, Update};
use super::{gru_kernel, lstm_kernel};
use crate::cubes::{Rows, empty, filled};
use crate::dense::weight_gradient;

/// The rule as kernels know it.
fn rule(update: Update) -> u32 {
    match update {
        Update::Plain => gru_kernel::PLAIN,
        Update::Scaled => gru_kernel::SCALED,
        Update::Attention => gru_kernel::ATTENTION,
        Update::Released => gru_kernel::RELEASED,
    }
}

/// Width of a state, and how rows are dealt to groups of threads.
fn sizes(operands: &Operands<CubeBackend>) -> (usize, Rows) {
    let recurrent = match operands.unit {
        Unit::Gru(_) => &operands.of[2],
        Unit::Lstm => &operands.of[1],
    };
    let width = recurrent.meta.shape()[0];
    (width, Rows::of(&operands.host, width))
}

impl Recurs for CubeBackend {
    fn plain(tensor: CubeTensor) -> CubeTensor {
        into_contiguous(tensor)
    }

    fn forward(operands: &Operands<Self>) -> (CubeTensor, CubeTensor) {
        let (width, rows) = sizes(operands);
        let [a, b, c] = operands.of.each_ref().map(|operand| operand.clone());
        let positions = a.meta.shape()[0];
        let beside = if operands.unit == Unit::Lstm { 5 } else { 4 };
        let (states, kept) = (empty(&a, [positions, width]), empty(&a, [positions, beside * width]));
        if positions * width == 0 {
            return (states, kept);
        }
        let (client, groups, threads) = (states.client.clone(), rows.groups(), CubeDim::new_1d(rows.threads as u32));
        let [a, b, c] = [a, b, c].map(CubeTensor::into_tensor_arg);
        let offsets = operands.offsets.clone().into_tensor_arg();
        let (to_states, to_kept) = (states.clone().into_tensor_arg(), kept.clone().into_tensor_arg());
        let Rows { count, longest, threads: each } = rows;
        match operands.unit {
            Unit::Gru(update) => gru_kernel::forward::launch(
                &client,
                groups,
                threads,
                a,
                b,
                c,
                offsets,
                to_states,
                to_kept,
                count,
                longest,
                width,
                each,
                rule(update),
            ),
            Unit::Lstm => lstm_kernel::forward::launch(
                &client, groups, threads, a, b, c, offsets, to_states, to_kept, count, longest, width, each,
            ),
        }
        (states, kept)
    }

    fn backward(
        operands: &Operands<Self>,
        states: &CubeTensor,
        kept: &CubeTensor,
        gradient: CubeTensor,
    ) -> [CubeTensor; 3] {
        match operands.unit {
            Unit::Gru(update) => gru_back(operands, update, states, kept, gradient),
            Unit::Lstm => lstm_back(operands, states, kept, gradient),
        }
    }
}

fn gru_back(
    operands: &Operands<CubeBackend>,
    update: Update,
    states: &CubeTensor,
    kept: &CubeTensor,
    gradient: CubeTensor,
) -> [CubeTensor; 3] {
    let ((width, rows), [_, attention, weight]) = (sizes(operands), &operands.of);
    let positions = states.meta.shape()[0];
    let new = |columns: usize| empty(states, [positions, columns]);
    let (to_xw, to_product, before, to_attention) = (new(3 * width), new(3 * width), new(width), new(1));
    if positions * width > 0 {
        gru_kernel::backward::launch(
            &states.client.clone(),
            rows.groups(),
            CubeDim::new_1d(rows.threads as u32),
            attention.clone().into_tensor_arg(),
            weight.clone().into_tensor_arg(),
            operands.offsets.clone().into_tensor_arg(),
            states.clone().into_tensor_arg(),
            kept.clone().into_tensor_arg(),
            gradient.into_tensor_arg(),
            to_xw.clone().into_tensor_arg(),
            to_product.clone().into_tensor_arg(),
            before.clone().into_tensor_arg(),
            to_attention.clone().into_tensor_arg(),
            rows.count,
            rows.longest,
            width,
            rows.threads,
            rule(update),
        );
    }
    [to_xw, to_attention, weight_gradient(before, to_product, weight.clone())]
}

fn lstm_back(
    operands: &Operands<CubeBackend>,
    states: &CubeTensor,
    kept: &CubeTensor,
    gradient: CubeTensor,
) -> [CubeTensor; 3] {
    let ((width, rows), [_, recurrent, peepholes]) = (sizes(operands), &operands.of);
    let positions = states.meta.shape()[0];
    let new = |columns: usize| empty(states, [positions, columns]);
    let (to_xw, before, of_peepholes) = (new(4 * width), new(width), new(3 * width));
    if positions * width > 0 {
        lstm_kernel::backward::launch(
            &states.client.clone(),
            rows.groups(),
            CubeDim::new_1d(rows.threads as u32),
            recurrent.clone().into_tensor_arg(),
            peepholes.clone().into_tensor_arg(),
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
    }
    let to_recurrent = weight_gradient(before, to_xw.clone(), recurrent.clone());
    // Sums over all positions are a product with ones.
    let (ones, row) = (filled(states, [positions, 1], 1.0), empty(states, [1, 3 * width]));
    let to_peepholes = weight_gradient(ones, of_peepholes, row);
    [to_xw, to_recurrent, reshaped(to_peepholes, [3, width])]
}

/// The same numbers in another shape.
fn reshaped(tensor: CubeTensor, shape: [usize; 2]) -> CubeTensor {
    let CubeTensor { client, device, handle, dtype, .. } = tensor;
    CubeTensor::new_contiguous(client, device, burn::backend::Shape::from(shape.to_vec()), handle, dtype)
}
