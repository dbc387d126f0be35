//! Sums over the fields of rows, one launch each way on devices with kernels.

#[cfg(feature = "cube")]
mod kernel;
#[cfg(feature = "cube")]
mod op;

use burn::tensor::Tensor;

/// Sums over the fields of each row.
///
/// # Shapes
/// - `x`: `[B, F, k]`
/// - output: `[B, k]`
pub fn sum_fields(x: Tensor<3>) -> Tensor<2> {
    #[cfg(feature = "cube")]
    if crate::kind::runs_kernels(&x.device()) {
        return op::sum_fields(x);
    }
    let [rows, _, width] = x.dims();
    x.sum_dim(1).reshape([rows, width])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;
    use crate::testing::{close, numbers, skipped};

    #[test]
    fn sums_over_fields_and_their_gradients_are_the_composed_ones() {
        let Ok(opened) = crate::open(crate::DeviceName::Wgpu) else { return skipped() };
        for shape in [[1, 1, 1], [700, 26, 1], [33, 5, 3], [4, 1, 7]] {
            let drawn = Tensor::<3>::random(shape, Distribution::Default, &Device::flex());
            let run = |device: &Device| {
                let device = device.clone().autodiff();
                let x = Tensor::<3>::from_data(drawn.clone().into_data(), &device).require_grad();
                let y = sum_fields(x.clone());
                let gradients = (y.clone() * y.clone()).sum().backward();
                [numbers(y), numbers(x.grad(&gradients).unwrap())]
            };
            let [composed, found] = [run(&Device::flex()), run(&opened.device)];
            (0..2).for_each(|at| close(&found[at], &composed[at], &format!("{shape:?}")));
        }
    }
}
