//! Losses over logits, weighted by sample.

use burn::tensor::{Tensor, activation::softplus};

use crate::config::LossKind;

/// `Σ w_i loss_i / Σ w_i`. Without weights the mean.
///
/// Cross-entropy is `ln(1 + e^z) - z·y`, stable at both ends, with the gradient `σ(z) - y` at every z: the form
/// with `max(z, 0)` and `|z|` has a wrong one at z = 0, where untrained models start.
///
/// # Shapes
/// - logits `[B, 1]`, labels `[B, 1]`, weights `[B, 1]`
/// - output `[1]`
pub(super) fn loss(kind: LossKind, logits: Tensor<2>, labels: Tensor<2>, weights: Option<Tensor<2>>) -> Tensor<1> {
    let each = match kind {
        LossKind::Bce => softplus(logits.clone(), 1.0) - logits * labels,
        LossKind::WeightedLogistic => return weighted_logistic(logits, labels, weights),
        _ => {
            let difference = logits - labels;
            difference.clone() * difference
        }
    };
    match weights {
        None => each.mean(),
        Some(weights) => (each * weights.clone()).sum() / weights.sum().clamp_min(1e-12),
    }
}

/// Cross-entropy in which a positive row weighs its label T and one of label 0 weighs 1, over B: the odds learned are the
/// expected T (Covington et al. 2016).
fn weighted_logistic(logits: Tensor<2>, labels: Tensor<2>, weights: Option<Tensor<2>>) -> Tensor<1> {
    let watched = labels.clone().greater_elem(0.0).float();
    let each = softplus(logits.clone().neg(), 1.0) * labels + softplus(logits, 1.0) * (watched.neg() + 1.0);
    match weights {
        None => each.mean(),
        Some(weights) => (each * weights).mean(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn column(values: &[f32], device: &Device) -> Tensor<2> {
        Tensor::<1>::from_floats(values, device).unsqueeze_dim(1)
    }

    #[test]
    fn cross_entropy_is_exact_at_the_ends_and_its_gradient_is_p_minus_y() {
        let device = Device::flex().autodiff();
        let z = column(&[0.0, 100.0, -100.0, 2.0], &device).require_grad();
        let y = column(&[1.0, 1.0, 1.0, 0.0], &device);
        let value = loss(LossKind::Bce, z.clone(), y, None);
        let found: f32 = value.clone().into_scalar();
        let expected = (2f32.ln() + 0.0 + 100.0 + (1.0 + 2f32.exp()).ln()) / 4.0;
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        let grads = value.backward();
        let gradient: Vec<f32> = z.grad(&grads).unwrap().into_data().try_to_vec().unwrap();
        let sigmoid = |z: f32| 1.0 / (1.0 + (-z).exp());
        for (g, e) in gradient.iter().zip([sigmoid(0.0) - 1.0, 0.0, -1.0, sigmoid(2.0)]) {
            assert!((g * 4.0 - e).abs() < 1e-5, "{gradient:?}");
        }
    }

    #[test]
    fn the_intercept_of_weighted_logistic_regression_is_the_log_of_watched_over_unwatched() {
        // 100 of 1000 rows are watched for 10: ln(1000 / 900).
        let device = Device::flex().autodiff();
        let labels: Vec<f32> = (0..1000).map(|i| if i < 100 { 10.0 } else { 0.0 }).collect();
        let best = (1000f32 / 900.0).ln();
        assert!((best - 0.10536).abs() < 1e-5);
        let z = column(&vec![best; 1000], &device).require_grad();
        let grads = loss(LossKind::WeightedLogistic, z.clone(), column(&labels, &device), None).backward();
        let gradient: Vec<f32> = z.grad(&grads).unwrap().into_data().try_to_vec().unwrap();
        assert!(gradient.iter().sum::<f32>().abs() < 1e-5 && gradient[0] < -1e-3, "{}", gradient.iter().sum::<f32>());
    }

    #[test]
    fn weights_are_normalised_by_their_sum() {
        let device = Device::flex();
        let (z, y) = (column(&[1.0, 3.0], &device), column(&[0.0, 0.0], &device));
        let w = column(&[3.0, 1.0], &device);
        let found: f32 = loss(LossKind::Mse, z, y, Some(w)).into_scalar();
        assert!((found - (3.0 * 1.0 + 9.0) / 4.0).abs() < 1e-6);
    }
}
