//! Where in a sequence a behaviour stands (Vaswani et al., NeurIPS 2017).

use burn::tensor::{Device, Tensor, TensorData};
use burnrec_backend::Segments;

/// `sin(t / 10000^(2i/d))` and `cos` of the same in turn, t counted from the latest position, 0: rows of any length agree
/// on how long ago a behaviour was.
///
/// # Shapes
/// - output: `[positions, d]`
pub fn position_encoding(segments: &Segments, dim: usize, device: &Device) -> Tensor<2> {
    let mut values = Vec::with_capacity(segments.positions() * dim);
    for row in segments.offsets().windows(2) {
        for back in (0..row[1] - row[0]).rev() {
            values.extend((0..dim).map(|i| {
                let angle = f64::from(back) / 10_000f64.powf((i / 2 * 2) as f64 / dim as f64);
                (if i % 2 == 0 { angle.sin() } else { angle.cos() }) as f32
            }));
        }
    }
    Tensor::from_data(TensorData::new(values, [segments.positions(), dim]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_positions_of_all_rows_agree_and_others_differ() {
        let device = Device::flex();
        let encoded = position_encoding(&Segments::new(&[0, 3, 4], &device), 4, &device);
        let values: Vec<f32> = encoded.into_data().try_to_vec().unwrap();
        assert_eq!(values[8..12], [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(values[8..12], values[12..16]);
        let second = [1f32.sin(), 1f32.cos(), 0.01f32.sin(), 0.01f32.cos()];
        assert!(values[4..8].iter().zip(second).all(|(a, b)| (a - b).abs() < 1e-6), "{values:?}");
    }
}
