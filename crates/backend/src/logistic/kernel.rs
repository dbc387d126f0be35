//! The loss and its gradient as a kernel.

use cubecl::prelude::*;

/// Threads of the one group that sums a loss.
pub(super) const GROUP: usize = 256;

/// The loss, summed by one group in an order that never changes, and each row's gradient.
#[cube(launch)]
#[allow(clippy::too_many_arguments, reason = "the operands of a loss")]
pub(super) fn logistic(
    scores: &Tensor<f32>,
    labels: &Tensor<f32>,
    weights: &Tensor<f32>,
    loss: &mut Tensor<f32>,
    gradient: &mut Tensor<f32>,
    rows: usize,
    scale: f32,
    #[comptime] weighted: bool,
) {
    let mut sums = Shared::<[f32]>::new_slice(GROUP);
    let unit = UNIT_POS as usize;
    let mut sum = 0.0f32;
    let mut row = unit;
    while row < rows {
        let (z, y) = (scores[row], labels[row]);
        let mut weight = scale;
        if comptime!(weighted) {
            weight = scale * weights[row];
        }
        // e^-|z| never overflows.
        let mut size = z;
        if z < 0.0f32 {
            size = -z;
        }
        let small = (-size).exp();
        let mut above = 0.0f32;
        let mut chance = small / (1.0f32 + small);
        if z >= 0.0f32 {
            above = z;
            chance = 1.0f32 / (1.0f32 + small);
        }
        sum += weight * (above + (1.0f32 + small).ln() - z * y);
        gradient[row] = weight * (chance - y);
        row += GROUP;
    }
    sums[unit] = sum;
    sync_cube();
    let mut half = (GROUP / 2).runtime();
    while half > 0 {
        if unit < half {
            let other = sums[unit + half];
            sums[unit] += other;
        }
        sync_cube();
        half /= 2;
    }
    if unit == 0 {
        loss[0] = sums[0];
    }
}

/// A gradient times what comes back to the loss.
#[cube(launch)]
pub(super) fn times_one(gradient: &Tensor<f32>, by: &Tensor<f32>, out: &mut Tensor<f32>, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    out[ABSOLUTE_POS] = gradient[ABSOLUTE_POS] * by[0];
}
