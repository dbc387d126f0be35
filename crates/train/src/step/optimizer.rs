//! The dense half of a step: penalties, clipping, Burn's optimiser.

use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{
    AdaGradConfig, AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig, momentum::MomentumConfig,
};
use burn::tensor::Tensor;
use burnrec_backend::AdamQueue;

use super::fused_adam::FusedAdam;
use crate::experiment::{DenseOptimizer, DenseRule};

impl DenseOptimizer {
    /// Burn's optimiser of these settings; steps of a device wait in `queue` until they are taken.
    pub(crate) fn build(&self, queue: &Arc<AdamQueue>) -> ModuleOptimizer {
        match self.kind {
            DenseRule::Adam => {
                let composed = AdamConfig::new()
                    .with_beta_1(self.beta_1)
                    .with_beta_2(self.beta_2)
                    .with_epsilon(self.epsilon)
                    .build();
                ModuleOptimizer::from(FusedAdam::new(composed, self, queue.clone()))
            }
            DenseRule::Adamw => AdamWConfig::new()
                .with_beta_1(self.beta_1)
                .with_beta_2(self.beta_2)
                .with_epsilon(self.epsilon)
                .with_weight_decay(self.weight_decay)
                .init(),
            DenseRule::Adagrad => AdaGradConfig::new().with_epsilon(self.epsilon).init(),
            DenseRule::Sgd => {
                let momentum =
                    MomentumConfig::new().with_momentum(self.momentum).with_dampening(0.0).with_nesterov(self.nesterov);
                SgdConfig::new().with_momentum((self.momentum > 0.0).then_some(momentum)).init()
            }
        }
    }
}

/// Adds `l1·sign(w) + l2·w` to the gradients of weight matrices; biases and norms have rank 1 and are left alone.
struct Penalties<'a> {
    grads: &'a mut GradientsParams,
    l1: f64,
    l2: f64,
}

impl ModuleVisitor for Penalties<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if D < 2 {
            return;
        }
        let Some(mut gradient) = self.grads.remove::<D>(param.id) else { return };
        let weights = param.val().inner();
        if self.l2 > 0.0 {
            gradient = gradient + weights.clone() * self.l2;
        }
        if self.l1 > 0.0 {
            gradient = gradient + weights.sign() * self.l1;
        }
        self.grads.register(param.id, gradient);
    }
}

/// Sums the squares of all gradients.
struct Squares<'a> {
    grads: &'a GradientsParams,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.grads.get::<D>(param.id) {
            let square = (gradient.clone() * gradient).sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + square,
                None => square,
            });
        }
    }
}

/// Multiplies all gradients by a number.
struct Scale<'a> {
    grads: &'a mut GradientsParams,
    by: &'a Tensor<1>,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.grads.remove::<D>(param.id) {
            self.grads.register(param.id, gradient * self.by.clone().reshape([1; D]));
        }
    }
}

/// Adds the penalties to the dense gradients.
pub(crate) fn penalise<M: Module>(model: &M, grads: &mut GradientsParams, l1: f64, l2: f64) {
    if l1 > 0.0 || l2 > 0.0 {
        model.visit(&mut Penalties { grads, l1, l2 });
    }
}

/// Sum of squares `[1]` of the dense gradients, not read from the device; none without gradients.
pub(crate) fn squared_norm<M: Module>(model: &M, grads: &GradientsParams) -> Option<Tensor<1>> {
    let mut squares = Squares { grads, sum: None };
    model.visit(&mut squares);
    squares.sum
}

/// Multiplies the dense gradients by a number `[1]` on their device.
pub(crate) fn scale<M: Module>(model: &M, grads: &mut GradientsParams, by: &Tensor<1>) {
    model.visit(&mut Scale { grads, by });
}
