//! The pair term of a factorization machine (Rendle, ICDM 2010), in linear time.

use burn::tensor::Tensor;

/// `Σ_{i<j} <v_i, v_j> = ½ Σ_k [ (Σ_i v_ik)² - Σ_i v_ik² ]`, the vectors scaled by their values already.
///
/// # Shapes
/// - vectors `[B, F, k]`
/// - output `[B, 1]`
pub fn pair_term(vectors: Tensor<3>) -> Tensor<2> {
    let sum: Tensor<3> = vectors.clone().sum_dim(1); // [B, 1, k]
    let square_of_sum = sum.clone() * sum; // [B, 1, k]
    let sum_of_squares: Tensor<3> = (vectors.clone() * vectors).sum_dim(1); // [B, 1, k]
    ((square_of_sum - sum_of_squares) * 0.5).sum_dim(2).flatten(1, 2) // [B, 1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn three_features_give_the_hand_computed_pair_term() {
        // x = (1, 2, 3), v = (1, 2), (3, -1), (.5, 1): scaled vectors (1, 2), (6, -2), (1.5, 3).
        let vectors = Tensor::<3>::from_floats([[[1.0, 2.0], [6.0, -2.0], [1.5, 3.0]]], &Device::flex());
        let term: Vec<f32> = pair_term(vectors).into_data().try_to_vec().unwrap();
        assert!((term[0] - 12.5).abs() < 1e-5, "{term:?}");
    }
}
