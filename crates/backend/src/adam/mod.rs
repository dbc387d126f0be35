//! Adam's step on a dense weight in one pass over memory; on devices with kernels, of several weights in one launch.

#[cfg(feature = "cube")]
mod cube;

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use crate::device::has_own_memory;
use crate::kind::is_flex;
use crate::vectorized;

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

impl AdamStep {
    /// `η √(1-β₂^t) / (1-β₁^t)` and `ε √(1-β₂^t)`: the corrections of both moments, and ε beside the uncorrected root.
    pub(crate) fn factors(&self) -> (f32, f32) {
        let root = (1.0 - self.beta_2.powi(self.time)).sqrt();
        (self.rate * root / (1.0 - self.beta_1.powi(self.time)), self.epsilon * root)
    }
}

/// Weight, first and second moment.
type Three<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

#[backend_extension(Flex, Cube: cfg(feature = "cube"))]
pub(crate) trait AdamOps: Backend {
    fn adam(
        w: FloatTensor<Self>,
        g: FloatTensor<Self>,
        m: FloatTensor<Self>,
        v: FloatTensor<Self>,
        step: AdamStep,
        queue: Arc<AdamQueue>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// Steps that wait until several can be taken in one launch.
///
/// A step is taken in place, in buffers that nothing else holds: what [`adam`] gives back is what will have been stepped once
/// [`AdamQueue::take`] was called, and is not to be read before.
#[derive(Debug, Default)]
pub struct AdamQueue {
    #[cfg(feature = "cube")]
    waiting: std::sync::Mutex<Vec<cube::Waiting>>,
}

impl AdamQueue {
    /// Takes all steps that wait.
    pub fn take(&self) {
        #[cfg(feature = "cube")]
        cube::take(&mut self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

/// Whether [`adam`] runs on a device.
pub fn has_adam(device: &Device) -> bool {
    is_flex(device) || has_own_memory(device)
}

/// `m = β₁m + (1-β₁)g; v = β₂v + (1-β₂)g²; w -= η m̂ / (√v̂ + ε)` (Kingma & Ba 2015, algorithm 1) in place where
/// nothing else holds the tensors; for devices that [`has_adam`] names. On some devices the step waits in `queue`.
///
/// # Shapes
/// - all alike
pub fn adam<const D: usize>([w, g, m, v]: [Tensor<D>; 4], step: AdamStep, queue: &Arc<AdamQueue>) -> [Tensor<D>; 3] {
    let plain = Tensor::<D>::into_dispatch;
    let (w, m, v) = <Dispatch as AdamOps>::adam(plain(w), plain(g), plain(m), plain(v), step, queue.clone());
    [Tensor::from_dispatch(w), Tensor::from_dispatch(m), Tensor::from_dispatch(v)]
}

impl AdamOps for Flex {
    fn adam(
        w: FloatTensor<Flex>,
        g: FloatTensor<Flex>,
        m: FloatTensor<Flex>,
        v: FloatTensor<Flex>,
        step: AdamStep,
        _: Arc<AdamQueue>,
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
            .for_each(|(((w, m), v), g)| vectorized!(pass(w, m, v, g, step)));
        (w, m, v)
    }
}

#[inline(always)]
fn pass(w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], step: AdamStep) {
    let AdamStep { beta_1, beta_2, .. } = step;
    let (scale, floor) = step.factors();
    for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(g) {
        *m = beta_1 * *m + (1.0 - beta_1) * g;
        *v = beta_2 * *v + (1.0 - beta_2) * g * g;
        *w -= scale * *m / (v.sqrt() + floor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_equal_the_hand_computed_ones() {
        let device = Device::flex();
        let of = |x: f32| Tensor::<1>::from_floats([x], &device);
        let step = |time| AdamStep { beta_1: 0.9, beta_2: 0.999, epsilon: 0.0, rate: 0.1, time };
        let [w, m, v] = adam([of(1.0), of(2.0), of(0.0), of(0.0)], step(1), &Arc::default());
        let [w, _, _] = adam([w, of(-1.0), m, v], step(2), &Arc::default());
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
        let [stepped, ..] = adam([w.clone(), w.ones_like(), zero.clone(), zero.clone()], step, &Arc::default());
        let before: Vec<f32> = w.into_data().try_to_vec().unwrap();
        assert_eq!(before, [1.0, 2.0]);
        assert_eq!(zero.into_data().try_to_vec::<f32>().unwrap(), [0.0, 0.0]);
        assert_ne!(stepped.into_data().try_to_vec::<f32>().unwrap(), [1.0, 2.0]);
    }

    #[test]
    fn weights_of_a_gpu_step_together_as_each_by_itself() {
        let Ok(opened) = crate::open(crate::DeviceName::Wgpu) else { return crate::testing::skipped() };
        let step = |time| AdamStep { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, rate: 0.1, time };
        let lengths = [1, 7, 64, 65, 300, 2, 9, 1000, 5, 3, 77];
        let run = |device: &Device| {
            let queue = Arc::new(AdamQueue::default());
            let of = |length: usize, by: f32| {
                let values: Vec<f32> = (0..length).map(|i| by * (i as f32 * 0.7).sin()).collect();
                Tensor::<1>::from_floats(values.as_slice(), device)
            };
            let held = of(5, 1.0);
            let both: Vec<[Tensor<1>; 3]> = lengths
                .iter()
                .enumerate()
                .map(|(at, n)| {
                    let w = if *n == 5 { held.clone() } else { of(*n, 1.0) };
                    // One of another time, as a weight that rested has.
                    adam([w, of(*n, -2.0), of(*n, 0.1), of(*n, 0.2).abs()], step(1 + i32::from(at == 3)), &queue)
                })
                .collect();
            queue.take();
            let mut all: Vec<Vec<f32>> = both.into_iter().flatten().map(crate::testing::numbers).collect();
            // What something else holds was left alone.
            all.push(crate::testing::numbers(held));
            all
        };
        let (flex, gpu) = (run(&Device::flex()), run(&opened.device));
        flex.iter().zip(&gpu).for_each(|(f, g)| crate::testing::close(g, f, "a weight"));
    }
}
