//! The pair term as a kernel each way: one thread a number of a row's vectors.

use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{PairOps, Pairs};
use crate::cubes::{a_thread_each, empty};

/// Threads of a group, as many as whole rows fill.
const THREADS: usize = 256;

/// Rows of a group are beside each other; the first thread of a row adds up what its others found.
#[cube(launch)]
fn pair_terms(
    vectors: &Tensor<f32>,
    sums: &mut Tensor<f32>,
    out: &mut Tensor<f32>,
    rows: usize,
    fields: usize,
    #[comptime] dim: usize,
    #[comptime] group: usize,
) {
    let mut found = Shared::<[f32]>::new_slice(comptime!(group * dim));
    let unit = UNIT_POS as usize;
    let (own, d) = (unit / dim, unit % dim);
    let row = CUBE_POS * group + own;
    let mut half = 0.0f32;
    if row < rows {
        let mut sum = 0.0f32;
        let mut squares = 0.0f32;
        for field in 0..fields {
            let value = vectors[(row * fields + field) * dim + d];
            sum += value;
            squares += value * value;
        }
        sums[row * dim + d] = sum;
        half = 0.5f32 * (sum * sum - squares);
    }
    found[unit] = half;
    sync_cube();
    if d == 0 && row < rows {
        let mut total = 0.0f32;
        for other in 0..dim {
            total += found[unit + other];
        }
        out[row] = total;
    }
}

#[cube(launch)]
fn pair_back(
    vectors: &Tensor<f32>,
    sums: &Tensor<f32>,
    gradient: &Tensor<f32>,
    out: &mut Tensor<f32>,
    fields: usize,
    dim: usize,
    length: usize,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let row = ABSOLUTE_POS / (fields * dim);
    out[ABSOLUTE_POS] = gradient[row] * (sums[row * dim + ABSOLUTE_POS % dim] - vectors[ABSOLUTE_POS]);
}

/// Rows, fields, numbers of a vector.
fn sizes(vectors: &CubeTensor) -> [usize; 3] {
    let shape = vectors.meta.shape();
    [shape[0], shape[1], shape[2]]
}

impl PairOps for CubeBackend {
    fn pair_term(vectors: CubeTensor) -> CubeTensor {
        Self::terms(&into_contiguous(vectors)).0
    }
}

impl Pairs for CubeBackend {
    fn plain(vectors: CubeTensor) -> CubeTensor {
        into_contiguous(vectors)
    }

    fn terms(vectors: &CubeTensor) -> (CubeTensor, Option<CubeTensor>) {
        let [rows, fields, dim] = sizes(vectors);
        let (out, sums) = (empty(vectors, [rows, 1]), empty(vectors, [rows, dim]));
        let group = (THREADS / dim.max(1)).max(1);
        if rows * dim > 0 {
            let count = u32::try_from(rows.div_ceil(group)).unwrap_or(u32::MAX);
            pair_terms::launch(
                &vectors.client.clone(),
                cubecl::calculate_cube_count_elemwise(&vectors.client, count as usize, CubeDim::new_1d(1)),
                CubeDim::new_1d(u32::try_from(group * dim).unwrap_or(u32::MAX)),
                vectors.clone().into_tensor_arg(),
                sums.clone().into_tensor_arg(),
                out.clone().into_tensor_arg(),
                rows,
                fields,
                dim,
                group,
            );
        }
        (out, Some(sums))
    }

    fn back(vectors: CubeTensor, sums: Option<CubeTensor>, gradient: CubeTensor) -> CubeTensor {
        let sums = sums.unwrap_or_else(|| Self::terms(&vectors).1.unwrap_or_else(|| vectors.clone()));
        let [rows, fields, dim] = sizes(&vectors);
        let out = empty(&vectors, [rows, fields, dim]);
        let length = rows * fields * dim;
        if length > 0 {
            let (count, threads) = a_thread_each(&out, length);
            pair_back::launch(
                &out.client.clone(),
                count,
                threads,
                vectors.into_tensor_arg(),
                sums.into_tensor_arg(),
                into_contiguous(gradient).into_tensor_arg(),
                out.clone().into_tensor_arg(),
                fields,
                dim,
                length,
            );
        }
        out
    }
}
