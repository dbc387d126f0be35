//! The logistic loss and its gradient as one operation on devices with kernels.

#[cfg(feature = "cube")]
mod kernel;
#[cfg(feature = "cube")]
mod op;

use burn::tensor::Tensor;
use burn::tensor::activation::softplus;

use crate::parts::{average, total as sum_of_all};

/// `Σ w (ln(1 + e^z) - z·y) / total`, over rows; of rows that all weigh 1, and as many as `total` says, where weights are
/// absent. Stable at both ends, with the gradient `w (σ(z) - y) / total` at every z; labels and weights have none.
///
/// # Shapes
/// - `scores`, `labels`, `weights`: `[B, 1]`
/// - output: `[1]`; 0 where `total` is 0
pub fn logistic_loss(scores: &Tensor<2>, labels: &Tensor<2>, weights: Option<&Tensor<2>>, total: f64) -> Tensor<1> {
    #[cfg(feature = "cube")]
    if crate::kind::runs_kernels(&scores.device()) {
        let scale = if total > 0.0 { (1.0 / total) as f32 } else { 1.0 };
        return op::logistic_loss(scores, labels, weights, scale);
    }
    let each = softplus(scores.clone(), 1.0) - scores.clone() * labels.clone().detach();
    match weights.map(|weights| weights.clone().detach()) {
        None => average(each),
        Some(weights) if total > 0.0 => sum_of_all(each * weights) / total,
        Some(weights) => sum_of_all(each * weights),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::testing::{close, drawn_on, numbers, skipped};

    /// Loss and gradient of some rows.
    fn of(rows: usize, weighted: bool, device: &Device) -> [Vec<f32>; 2] {
        let device = device.clone().autodiff();
        let random = |seed| drawn_on([rows, 1], seed, &device);
        let scores = (random(1) * 90.0).detach().require_grad();
        let (labels, weights) = (random(2).abs().round(), random(3).abs());
        let total = if weighted { f64::from(weights.clone().sum().into_scalar::<f32>()) } else { rows as f64 };
        let loss = logistic_loss(&scores, &labels, weighted.then_some(&weights), total);
        let gradients = (loss.clone() * 3.0).backward();
        [numbers(loss), numbers(scores.grad(&gradients).unwrap())]
    }

    #[test]
    fn a_gpu_gives_the_loss_and_the_gradient_of_the_composed_form() {
        let Ok(opened) = crate::open(crate::DeviceName::Wgpu) else { return skipped() };
        for rows in [1, 2, 255, 256, 257, 4096, 70_001] {
            for weighted in [false, true] {
                let [composed, found] = [&Device::flex(), &opened.device].map(|device| of(rows, weighted, device));
                close(&found[0], &composed[0], &format!("loss of {rows}"));
                let scaled = |g: &[f32]| g.iter().map(|g| g * rows as f32).collect::<Vec<_>>();
                close(&scaled(&found[1]), &scaled(&composed[1]), &format!("gradient of {rows}"));
                assert!(found == of(rows, weighted, &opened.device), "{rows}: other bits");
            }
        }
        // Nothing known: a loss of 0 and gradients of 0, not what is not a number.
        let zeros = Tensor::<2>::zeros([3, 1], &opened.device.autodiff());
        let scores = zeros.clone().require_grad();
        let loss = logistic_loss(&scores, &zeros, Some(&zeros), 0.0);
        let gradients = loss.clone().backward();
        assert_eq!((numbers(loss), numbers(scores.grad(&gradients).unwrap())), (vec![0.0], vec![0.0; 3]));
    }
}
