//! Embedding bags: the vectors of a sequence as one.

use burn::tensor::{Tensor, TensorData};
use burnrec_backend::{Segments, weighted_sum};

/// The mean over each row's positions, by their true number; zeros where a row has none.
///
/// # Shapes
/// - `x`: `[positions, d]`
/// - output: `[B, d]`
pub fn mean_pool(x: Tensor<2>, segments: &Segments) -> Tensor<2> {
    let device = x.device();
    let shares: Vec<f32> = segments
        .offsets()
        .windows(2)
        .flat_map(|row| std::iter::repeat_n(1.0 / (row[1] - row[0]).max(1) as f32, (row[1] - row[0]) as usize))
        .collect();
    let shares = Tensor::from_data(TensorData::new(shares, [segments.positions(), 1]), &device);
    weighted_sum(x, shares, segments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_mean_is_by_true_length_and_empty_rows_are_zero() {
        let device = Device::flex();
        let x = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 6.0], [5.0, 5.0]], &device);
        let pooled = mean_pool(x, &Segments::new(&[0, 2, 2, 3], &device));
        let values: Vec<f32> = pooled.into_data().try_to_vec().unwrap();
        assert_eq!(values, [2.0, 4.0, 0.0, 0.0, 5.0, 5.0]);
    }
}
