//! The operations as kernels: one thread a number; no atomics, so that two runs give the same bits.

use std::sync::Arc;

use burn::backend::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::op::JaggedOps;

#[cube(launch)]
fn spread_kernel(x: &Tensor<f32>, owners: &Tensor<i32>, out: &mut Tensor<f32>, width: usize, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let row = owners[ABSOLUTE_POS / width] as usize;
    out[ABSOLUTE_POS] = x[row * width + ABSOLUTE_POS % width];
}

#[cube(launch)]
fn reduce_kernel(
    x: &Tensor<f32>,
    offsets: &Tensor<i32>,
    out: &mut Tensor<f32>,
    width: usize,
    length: usize,
    #[comptime] largest: bool,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let row = ABSOLUTE_POS / width;
    let column = ABSOLUTE_POS % width;
    let first = offsets[row] as usize;
    let last = offsets[row + 1] as usize;
    let mut total = 0.0f32;
    for at in first..last {
        let value = x[at * width + column];
        if comptime!(largest) {
            if at == first || value > total {
                total = value;
            }
        } else {
            total += value;
        }
    }
    out[ABSOLUTE_POS] = total;
}

fn empty(like: &CubeTensor, shape: [usize; 2]) -> CubeTensor {
    let shape = Shape::from(shape.to_vec());
    let handle = like.client.empty(shape.num_elements().max(1) * 4);
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, handle, DType::F32)
}

fn threads(like: &CubeTensor, length: usize) -> (CubeCount, CubeDim) {
    let dim = CubeDim::new_1d(64);
    (cubecl::calculate_cube_count_elemwise(&like.client, length, dim), dim)
}

fn spread(x: CubeTensor, owners: CubeTensor) -> CubeTensor {
    let x = into_contiguous(x);
    let (positions, width) = (owners.meta.num_elements(), x.meta.shape()[1]);
    let out = empty(&x, [positions, width]);
    let length = positions * width;
    if length > 0 {
        let (count, dim) = threads(&x, length);
        spread_kernel::launch(
            &x.client.clone(),
            count,
            dim,
            x.into_tensor_arg(),
            owners.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            width,
            length,
        );
    }
    out
}

fn reduce(x: CubeTensor, offsets: CubeTensor, largest: bool) -> CubeTensor {
    let x = into_contiguous(x);
    let (rows, width) = (offsets.meta.num_elements() - 1, x.meta.shape()[1]);
    let out = empty(&x, [rows, width]);
    let length = rows * width;
    if length > 0 {
        let (count, dim) = threads(&x, length);
        reduce_kernel::launch(
            &x.client.clone(),
            count,
            dim,
            x.into_tensor_arg(),
            offsets.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            width,
            length,
            largest,
        );
    }
    out
}

impl JaggedOps for CubeBackend {
    fn spread(x: CubeTensor, _: CubeTensor, owners: CubeTensor, _: Arc<[u32]>) -> CubeTensor {
        spread(x, owners)
    }

    fn segment_sum(x: CubeTensor, offsets: CubeTensor, _: CubeTensor, _: Arc<[u32]>) -> CubeTensor {
        reduce(x, offsets, false)
    }

    fn segment_max(x: CubeTensor, offsets: CubeTensor, owners: CubeTensor, _: Arc<[u32]>) -> CubeTensor {
        spread(reduce(x, offsets, true), owners)
    }
}
