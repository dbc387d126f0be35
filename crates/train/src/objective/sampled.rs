//! Losses against what was drawn: a class among classes, or pairs against noise.

use burn::tensor::activation::{log_softmax, softplus};
use burn::tensor::{Device, Tensor, TensorData};
use burnrec_backend::traffic;
use burnrec_features::{Drawn, Sharing};

/// A logit that never wins.
const NEVER: f32 = -1e9;

/// What the softmax over drawn items takes off the logits.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    /// `[B, 1]`
    own: Tensor<2>,
    /// `[1, S]`
    drawn: Tensor<2>,
    /// 0, or [`NEVER`] where the drawn item is the row's own `[B, S]`.
    hits: Option<Tensor<2>>,
}

impl Beside {
    pub(crate) fn new(beside: &Drawn, rows: usize, device: &Device) -> Self {
        let matrix = |values: Vec<f32>, shape: [usize; 2]| {
            traffic::up_to(device, values.len() * 4);
            Tensor::from_data(TensorData::new(values, shape), device)
        };
        if let Sharing::Own(_) = beside.sharing {
            return Self { own: Tensor::zeros([1, 1], device), drawn: Tensor::zeros([1, 1], device), hits: None };
        }
        let count = beside.log_expected.len();
        let hits = (!beside.hits.is_empty()).then(|| {
            let mut mask = vec![0.0; rows * count];
            beside.hits.iter().for_each(|(row, drawn)| mask[*row as usize * count + *drawn as usize] = NEVER);
            matrix(mask, [rows, count])
        });
        let own = matrix(beside.log_expected_own.clone(), [rows, 1]);
        Self { own, drawn: matrix(beside.log_expected.clone(), [1, count]), hits }
    }

    /// Cross-entropy of each positive row's own item among those that were drawn, the logarithm of how often each is
    /// expected taken off its logit (Covington et al. 2016).
    ///
    /// # Shapes
    /// - logits, labels, weights: `[B, 1]`, sampled: `[B, S]`
    /// - output: `[1]`
    pub(crate) fn softmax(
        &self,
        logits: Tensor<2>,
        sampled: Tensor<2>,
        labels: Tensor<2>,
        weights: Option<Tensor<2>>,
    ) -> Tensor<1> {
        let mut others = sampled - self.drawn.clone();
        if let Some(hits) = &self.hits {
            others = others + hits.clone();
        }
        let all = Tensor::cat(vec![logits - self.own.clone(), others], 1); // [B, S + 1]
        let rows = all.dims()[0];
        let each = log_softmax(all, 1).slice([0..rows, 0..1]).neg(); // [B, 1]
        let weights = weights.map_or(labels.clone(), |w| w * labels);
        (each * weights.clone()).sum() / weights.sum().clamp_min(1e-12)
    }
}

/// `-ln σ(s) - Σ ln σ(-s_k)`, the mean over pairs (Mikolov et al. 2013).
///
/// # Shapes
/// - logits `[B, 1]`, sampled `[B, k]`
/// - output: `[1]`
pub(crate) fn negative_sampling(logits: Tensor<2>, sampled: Tensor<2>) -> Tensor<1> {
    let positive = softplus(logits.neg(), 1.0).mean();
    positive + softplus(sampled, 1.0).sum_dim(1).mean()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix<const R: usize, const C: usize>(values: [[f32; C]; R]) -> Tensor<2> {
        Tensor::from_floats(values, &Device::flex())
    }

    #[test]
    fn the_softmax_takes_frequencies_off_and_never_punishes_the_own_item() {
        let device = Device::flex();
        let drawn = Drawn {
            sharing: Sharing::All,
            log_expected_own: vec![0.5f32.ln()],
            log_expected: vec![0.25f32.ln(), 2f32.ln(), 1f32.ln()],
            hits: vec![(0, 2)],
        };
        let beside = Beside::new(&drawn, 1, &device);
        let found: f32 =
            beside.softmax(matrix([[1.0]]), matrix([[0.5, 0.0, 9.0]]), matrix([[1.0]]), None).into_scalar();
        let powers = [1f32.exp() / 0.5, 0.5f32.exp() / 0.25, 1.0 / 2.0];
        let expected = -(powers[0] / powers.iter().sum::<f32>()).ln();
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }

    #[test]
    fn rows_of_label_0_are_no_classes() {
        let device = Device::flex();
        let drawn = Drawn { log_expected_own: vec![0.0; 2], log_expected: vec![0.0], ..Drawn::default() };
        let beside = Beside::new(&drawn, 2, &device);
        let labels = matrix([[1.0], [0.0]]);
        let found: f32 = beside.softmax(matrix([[0.0], [50.0]]), matrix([[0.0], [0.0]]), labels, None).into_scalar();
        assert!((found - 2f32.ln()).abs() < 1e-6, "{found}");
    }

    #[test]
    fn noise_is_summed_over_what_was_drawn() {
        let found: f32 = negative_sampling(matrix([[0.0], [0.0]]), matrix([[0.0, 0.0], [0.0, 0.0]])).into_scalar();
        assert!((found - 3.0 * 2f32.ln()).abs() < 1e-6);
    }
}
