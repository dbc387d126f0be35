//! What tests of operations share.

use burn::tensor::{Device, Distribution, Tensor};

/// Normal numbers whose gradient is asked for.
pub(crate) fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device).require_grad()
}

pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Both alike, but for rounding at the scale of the largest.
pub(crate) fn close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0f32, |m, x| m.max(x.abs()));
    found.iter().zip(expected).for_each(|(f, e)| assert!((f - e).abs() <= 2e-5 * scale, "{what}: {f} {e}"));
}
