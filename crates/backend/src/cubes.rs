//! What operations on devices with kernels share.

use burn::backend::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Threads of a group where each does one number.
const GROUP: u32 = 64;

/// Floats of a shape that are not written yet, beside another tensor.
pub(crate) fn empty<const D: usize>(like: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    unwritten(like, Shape::from(shape.to_vec()), DType::F32)
}

/// Numbers of 4 bytes that are not written yet, beside another tensor.
pub(crate) fn unwritten(like: &CubeTensor, shape: Shape, dtype: DType) -> CubeTensor {
    let handle = like.client.empty(shape.num_elements().max(1) * 4);
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, handle, dtype)
}

/// A thread for each of some numbers.
pub(crate) fn a_thread_each(like: &CubeTensor, length: usize) -> (CubeCount, CubeDim) {
    let dim = CubeDim::new_1d(GROUP);
    (cubecl::calculate_cube_count_elemwise(&like.client, length, dim), dim)
}

/// A tensor that may be written: row-major, and held by nobody else.
pub(crate) fn own(tensor: CubeTensor) -> CubeTensor {
    let tensor = into_contiguous(tensor);
    if tensor.handle.can_mut() { tensor } else { tensor.copy() }
}

/// Floats of one value, beside another tensor.
pub(crate) fn filled<const D: usize>(like: &CubeTensor, shape: [usize; D], value: f32) -> CubeTensor {
    let out = empty(like, shape);
    let length = shape.iter().product();
    let (count, dim) = a_thread_each(&out, length);
    fill::launch(&out.client.clone(), count, dim, out.clone().into_tensor_arg(), value, length);
    out
}

#[cube(launch)]
fn fill(out: &mut Tensor<f32>, value: f32, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    out[ABSOLUTE_POS] = value;
}

/// `1 / (1 + e^-x)`; e^-|x| never overflows.
#[cube]
pub(crate) fn sigmoid(x: f32) -> f32 {
    let mut size = x;
    if x < 0.0f32 {
        size = -x;
    }
    let small = (-size).exp();
    let below = small / (1.0f32 + small);
    select(x < 0.0f32, below, 1.0f32 - below)
}

/// Where a group's row starts and ends; nowhere behind the last one.
#[cube]
pub(crate) fn span_of(offsets: &Tensor<i32>, row: usize, rows: usize) -> (usize, usize) {
    let mut first = 0usize.runtime();
    let mut last = 0usize.runtime();
    if row < rows {
        first = offsets[row] as usize;
        last = offsets[row + 1] as usize;
    }
    (first, last)
}

/// Groups along the first axis of a launch, at most.
const MOST_GROUPS: usize = 32_768;

/// Threads of a group that does a row, at most.
const MOST_THREADS: usize = 256;

/// Rows of sequences that go through time, a group of threads each.
pub(crate) struct Rows {
    /// How many.
    pub(crate) count: usize,
    /// Positions of the longest.
    pub(crate) longest: usize,
    /// Threads of a group.
    pub(crate) threads: usize,
}

impl Rows {
    /// Of rows that start at `offsets`, with states of a width.
    pub(crate) fn of(offsets: &[u32], width: usize) -> Self {
        let longest = offsets.windows(2).map(|two| two[1] - two[0]).max().unwrap_or(0) as usize;
        let threads = width.next_power_of_two().clamp(32, MOST_THREADS);
        Self { count: offsets.len().saturating_sub(1), longest, threads }
    }

    /// A group a row.
    pub(crate) fn groups(&self) -> CubeCount {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        CubeCount::Static(count(self.count.min(MOST_GROUPS)), count(self.count.div_ceil(MOST_GROUPS)), 1)
    }
}
