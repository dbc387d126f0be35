//! The operations as kernels: one thread a number; no atomics, so that two runs give the same bits.

use std::sync::Arc;

use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::attend_kernel as kernel;
use super::fused::{Attends, Places};
use super::op::JaggedOps;
use crate::cubes::{a_thread_each, empty};

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

fn spread(x: CubeTensor, owners: CubeTensor) -> CubeTensor {
    let x = into_contiguous(x);
    let (positions, width) = (owners.meta.num_elements(), x.meta.shape()[1]);
    let out = empty(&x, [positions, width]);
    let length = positions * width;
    if length > 0 {
        let (count, dim) = a_thread_each(&x, length);
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
        let (count, dim) = a_thread_each(&x, length);
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

/// Numbers of a tensor of positions `[positions, width]`.
fn width(tensor: &CubeTensor) -> usize {
    tensor.meta.shape()[1]
}

/// Launches what makes `[positions, d]` of what positions and rows have.
macro_rules! by_positions {
    ($kernel:ident, $at_positions:expr, $at_rows:expr, $places:expr, $width:expr $(, $more:expr)*) => {{
        let (positions, width) = ($places.owners.meta.num_elements(), $width);
        let out = empty($at_rows, [positions, width]);
        let length = positions * width;
        if length > 0 {
            let (count, threads) = a_thread_each(&out, length);
            kernel::$kernel::launch(
                &out.client.clone(),
                count,
                threads,
                $at_positions.clone().into_tensor_arg(),
                $at_rows.clone().into_tensor_arg(),
                $places.owners.clone().into_tensor_arg(),
                out.clone().into_tensor_arg(),
                length,
                $($more),*
            );
        }
        out
    }};
}

/// Launches what sums `[B, d]` over positions.
macro_rules! by_rows {
    ($kernel:ident, $a:expr, $b:expr, $places:expr) => {{
        let (rows, width) = ($places.offsets.meta.num_elements() - 1, width($a));
        let out = empty($a, [rows, width]);
        let length = rows * width;
        if length > 0 {
            let (count, threads) = a_thread_each(&out, length);
            kernel::$kernel::launch(
                &out.client.clone(),
                count,
                threads,
                $a.clone().into_tensor_arg(),
                $b.clone().into_tensor_arg(),
                $places.offsets.clone().into_tensor_arg(),
                out.clone().into_tensor_arg(),
                width,
                length,
            );
        }
        out
    }};
}

impl Attends for CubeBackend {
    fn plain(tensor: CubeTensor) -> CubeTensor {
        into_contiguous(tensor)
    }

    fn mul(keys: &CubeTensor, query: &CubeTensor, places: &Places<Self>) -> CubeTensor {
        by_positions!(mul, keys, query, places, width(keys), width(keys))
    }

    fn sum_of_products(a: &CubeTensor, b: &CubeTensor, places: &Places<Self>) -> CubeTensor {
        by_rows!(sum_of_products, a, b, places)
    }

    fn add(z: &CubeTensor, u: &CubeTensor, places: &Places<Self>, rectify: bool) -> CubeTensor {
        by_positions!(add, z, u, places, width(z), width(z), rectify)
    }

    fn masked(gradient: CubeTensor, output: &CubeTensor) -> CubeTensor {
        crate::dense::before_relu(into_contiguous(gradient), output.clone())
    }

    fn weigh(keys: &CubeTensor, weights: &CubeTensor, places: &Places<Self>) -> CubeTensor {
        by_rows!(weigh, keys, weights, places)
    }

    fn dots(keys: &CubeTensor, gradient: &CubeTensor, places: &Places<Self>) -> CubeTensor {
        by_positions!(dots, keys, gradient, places, 1, width(keys))
    }

    fn weigh_back(weights: &CubeTensor, gradient: &CubeTensor, places: &Places<Self>) -> CubeTensor {
        by_positions!(weigh_back, weights, gradient, places, width(gradient), width(gradient))
    }

    fn shares(scores: &CubeTensor, places: &Places<Self>) -> CubeTensor {
        let (rows, positions) = (places.offsets.meta.num_elements() - 1, scores.meta.shape()[0]);
        let out = empty(scores, [positions, 1]);
        if positions > 0 {
            let (count, threads) = a_thread_each(&out, rows);
            kernel::shares::launch(
                &out.client.clone(),
                count,
                threads,
                scores.clone().into_tensor_arg(),
                places.offsets.clone().into_tensor_arg(),
                out.clone().into_tensor_arg(),
                rows,
            );
        }
        out
    }

    fn shares_back(shares: &CubeTensor, gradient: &CubeTensor, places: &Places<Self>) -> CubeTensor {
        let (rows, positions) = (places.offsets.meta.num_elements() - 1, shares.meta.shape()[0]);
        let out = empty(shares, [positions, 1]);
        if positions > 0 {
            let (count, threads) = a_thread_each(&out, rows);
            kernel::shares_back::launch(
                &out.client.clone(),
                count,
                threads,
                shares.clone().into_tensor_arg(),
                gradient.clone().into_tensor_arg(),
                places.offsets.clone().into_tensor_arg(),
                out.clone().into_tensor_arg(),
                rows,
            );
        }
        out
    }
}
