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

/// Says loudly that no GPU answered.
pub(crate) fn skipped() {
    use std::io::Write;
    drop(writeln!(std::io::stderr().lock(), "\n*** SKIPPED: no wgpu adapter\n"));
}

/// Numbers between -1 and 1 that look random and are the same each time, whatever other tests draw.
pub(crate) fn drawn(length: usize, seed: u64) -> Vec<f32> {
    let mix = |at: usize| {
        let mut x = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed.wrapping_mul(0xd1b5_4a32_d192_ed03);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x >> 40) as f32 / (1u64 << 23) as f32) - 1.0
    };
    (0..length).map(mix).collect()
}

/// The same as a tensor on a device.
pub(crate) fn drawn_on<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let values = drawn(shape.iter().product(), seed);
    Tensor::from_data(burn::tensor::TensorData::new(values, shape), device)
}
