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
