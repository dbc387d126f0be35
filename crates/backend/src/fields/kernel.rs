//! Sums over fields, and back, as kernels.

use cubecl::prelude::*;

/// `out[row] = Σ_field x[row, field]`.
#[cube(launch)]
pub(super) fn field_sums(x: &Tensor<f32>, out: &mut Tensor<f32>, fields: usize, width: usize, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let (row, column) = (ABSOLUTE_POS / width, ABSOLUTE_POS % width);
    let mut sum = 0.0f32;
    for field in 0..fields {
        sum += x[(row * fields + field) * width + column];
    }
    out[ABSOLUTE_POS] = sum;
}

/// `out[row, field] = x[row]`.
#[cube(launch)]
pub(super) fn to_fields(x: &Tensor<f32>, out: &mut Tensor<f32>, fields: usize, width: usize, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    out[ABSOLUTE_POS] = x[ABSOLUTE_POS / (fields * width) * width + ABSOLUTE_POS % width];
}
