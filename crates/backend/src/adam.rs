//! Adam's step on a dense weight in one pass over memory.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::dense::is_flex;
use crate::vector::vectorized;

/// Floats that one task steps.
const TASK: usize = 1 << 14;

/// What is the same for every weight of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// Added to the root of the corrected second moment.
    pub epsilon: f32,
    /// Learning rate.
    pub rate: f32,
    /// Steps of this weight, this one included: from 1.
    pub time: i32,
}

/// Weight, first and second moment.
type Three<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

#[backend_extension(Flex)]
pub(crate) trait AdamOps: Backend {
    fn adam(
        w: FloatTensor<Self>,
        g: FloatTensor<Self>,
        m: FloatTensor<Self>,
        v: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// `m = β₁m + (1-β₁)g; v = β₂v + (1-β₂)g²; w -= η m̂ / (√v̂ + ε)` (Kingma & Ba 2015, algorithm 1) in place where
/// nothing else holds the tensors. None on a device that has no such operation.
///
/// # Shapes
/// - all alike
pub fn adam<const D: usize>([w, g, m, v]: [Tensor<D>; 4], step: AdamStep) -> Result<[Tensor<D>; 3], [Tensor<D>; 4]> {
    if !is_flex(&w.device()) {
        return Err([w, g, m, v]);
    }
    let (w, m, v) =
        <Dispatch as AdamOps>::adam(w.into_dispatch(), g.into_dispatch(), m.into_dispatch(), v.into_dispatch(), step);
    Ok([Tensor::from_dispatch(w), Tensor::from_dispatch(m), Tensor::from_dispatch(v)])
}

impl AdamOps for Flex {
    fn adam(
        w: FloatTensor<Flex>,
        g: FloatTensor<Flex>,
        m: FloatTensor<Flex>,
        v: FloatTensor<Flex>,
        step: AdamStep,
    ) -> Three<Flex> {
        let plain = |t: FloatTensor<Flex>| {
            if t.layout().is_contiguous() && t.layout().start_offset() == 0 { t } else { t.to_contiguous() }
        };
        let (mut w, g, mut m, mut v) = (plain(w), plain(g), plain(m), plain(v));
        let gradient = g.as_slice::<f32>().unwrap_or(&[]);
        let length = gradient.len();
        w.storage_mut::<f32>()[..length]
            .par_chunks_mut(TASK)
            .zip(m.storage_mut::<f32>()[..length].par_chunks_mut(TASK))
            .zip(v.storage_mut::<f32>()[..length].par_chunks_mut(TASK))
            .zip(gradient.par_chunks(TASK))
            .for_each(|(((w, m), v), g)| vectorized(|| pass(w, m, v, g, step)));
        (w, m, v)
    }
}

#[inline(always)]
fn pass(w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], step: AdamStep) {
    let AdamStep { beta_1, beta_2, epsilon, rate, time } = step;
    let root = (1.0 - beta_2.powi(time)).sqrt();
    let (scale, floor) = (rate * root / (1.0 - beta_1.powi(time)), epsilon * root);
    for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(g) {
        *m = beta_1 * *m + (1.0 - beta_1) * g;
        *v = beta_2 * *v + (1.0 - beta_2) * g * g;
        *w -= scale * *m / (v.sqrt() + floor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn two_steps_equal_the_hand_computed_ones() {
        let device = Device::flex();
        let of = |x: f32| Tensor::<1>::from_floats([x], &device);
        let step = |time| AdamStep { beta_1: 0.9, beta_2: 0.999, epsilon: 0.0, rate: 0.1, time };
        let [w, m, v] = adam([of(1.0), of(2.0), of(0.0), of(0.0)], step(1)).unwrap();
        let [w, _, _] = adam([w, of(-1.0), m, v], step(2)).unwrap();
        // Step 1 moves by η; step 2: m = .09·2 + .1·(-1) = .08, v = .999·.004 + .001 = .004996.
        let second = 0.1 * (1.0f32 - 0.998_001).sqrt() / 0.19 * 0.08 / 0.004_996f32.sqrt();
        let found: f32 = w.into_scalar();
        assert!((found - (0.9 - second)).abs() < 1e-6, "{found}");
    }

    #[test]
    fn a_tensor_that_something_else_holds_is_left_alone() {
        let w = Tensor::<1>::from_floats([1.0, 2.0], &Device::flex());
        let zero = w.zeros_like();
        let step = AdamStep { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, rate: 0.1, time: 1 };
        let [stepped, ..] = adam([w.clone(), w.ones_like(), zero.clone(), zero.clone()], step).unwrap();
        let before: Vec<f32> = w.into_data().try_to_vec().unwrap();
        assert_eq!(before, [1.0, 2.0]);
        assert_eq!(zero.into_data().try_to_vec::<f32>().unwrap(), [0.0, 0.0]);
        assert_ne!(stepped.into_data().try_to_vec::<f32>().unwrap(), [1.0, 2.0]);
    }
}
