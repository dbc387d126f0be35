//! Adam for dense weights: in one pass where the backend has such an operation, Burn's own elsewhere.

use std::sync::Arc;

use burn::optim::{Adam, AdamState, AdaptiveMomentumState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};
use burnrec_backend::{AdamQueue, AdamStep, adam, has_adam};

use crate::experiment::DenseOptimizer;

/// Adam with Burn's state, so that checkpoints are the same whichever computes.
#[derive(Clone)]
pub(crate) struct FusedAdam {
    composed: Adam,
    beta_1: f32,
    beta_2: f32,
    epsilon: f32,
    queue: Arc<AdamQueue>,
}

impl FusedAdam {
    /// Steps that wait are in `queue`, for whoever steps to take when all weights had their turn.
    pub(crate) fn new(composed: Adam, settings: &DenseOptimizer, queue: Arc<AdamQueue>) -> Self {
        Self { composed, beta_1: settings.beta_1, beta_2: settings.beta_2, epsilon: settings.epsilon, queue }
    }
}

impl Optimizer for FusedAdam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let momentum = state.map_or_else(
            || AdaptiveMomentumState::new(0, gradient.zeros_like(), gradient.zeros_like()),
            |state| state.momentum,
        );
        let AdaptiveMomentumState { time, moment_1, moment_2, .. } = momentum;
        let step = AdamStep {
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            epsilon: self.epsilon,
            rate: rate as f32,
            time: i32::try_from(time + 1).unwrap_or(i32::MAX),
        };
        if has_adam(&tensor.device()) {
            let [tensor, moment_1, moment_2] = adam([tensor, gradient, moment_1, moment_2], step, &self.queue);
            let state = AdaptiveMomentumState::new(time + 1, moment_1, moment_2);
            return (tensor, Some(AdamState::new(state)));
        }
        let state = AdamState::new(AdaptiveMomentumState::new(time, moment_1, moment_2));
        self.composed.step(rate, tensor, gradient, Some(state))
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        Adam::to_device(state, device)
    }
}
