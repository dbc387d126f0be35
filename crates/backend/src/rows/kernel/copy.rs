//! Copies into parts of tensors.

use cubecl::prelude::*;

/// `to[at..] = from`.
#[cube(launch)]
pub(in crate::rows) fn copy_floats(from: &Tensor<f32>, to: &mut Tensor<f32>, at: usize, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    to[at + ABSOLUTE_POS] = from[ABSOLUTE_POS];
}

/// `to[at..] = from`.
#[cube(launch)]
pub(in crate::rows) fn copy_ints(from: &Tensor<i32>, to: &mut Tensor<i32>, at: usize, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    to[at + ABSOLUTE_POS] = from[ABSOLUTE_POS];
}
