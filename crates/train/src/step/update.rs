//! The last stage: penalties, clipping, one step of the dense optimiser, one of the tables.

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burnrec_backend::traffic;
use burnrec_embedding::{Gradients as Sparse, Update};
use burnrec_models::AnyModel;

use super::Stepper;
use super::backward::Divided;
use super::gather::Gathered;
use super::optimizer::{penalise, scale, squared_norm};
use crate::experiment::TrainConfig;

/// How strongly a step changes dense weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strengths {
    learning_rate: f64,
    l1: f64,
    l2: f64,
    clip_norm: Option<f64>,
}

impl Strengths {
    pub(super) fn of(train: &TrainConfig) -> Self {
        Self { learning_rate: train.learning_rate, l1: train.l1, l2: train.l2, clip_norm: train.clip_norm }
    }
}

impl Stepper {
    /// Changes what learns.
    pub(super) fn update(&mut self, model: AnyModel, gathered: Gathered, gradients: Divided, factor: f64) {
        let Divided { mut dense, mut sparse } = gradients;
        // The graph goes before the optimiser takes the weights: a second handle would make it copy them.
        let Gathered { inputs, targets, rows, spaces, vectors, uploaded, leaves: _, teaches: _ } = gathered;
        drop((inputs, targets));
        self.resting.drop_gradients(&model, &mut dense);
        penalise(&model, &mut dense, self.strengths.l1, self.strengths.l2);
        self.weights.tables.leave_out(&mut sparse, &self.resting.learns);
        let squares = |tables: &burnrec_embedding::Tables, sparse: &Sparse| {
            let device = uploaded.as_ref().and_then(|u| tables.squared_norm_on_device(u, &sparse.device));
            (device, tables.squared_norm(&spaces, &vectors, sparse))
        };
        let clipped = self.strengths.clip_norm.map(|limit| {
            let (on_device, in_host) = squares(&self.weights.tables, &sparse);
            let norms = Norms { dense: squared_norm(&model, &dense), on_device, in_host };
            self.clip(limit, norms, &model, &mut dense, &mut sparse, uploaded.is_some())
        });
        let model = self.optimizer.step(self.strengths.learning_rate * factor, model, dense);
        self.waiting.take();
        self.weights.model = Some(self.resting.restored(model));
        self.weights.tables.apply(Update {
            step: self.clock,
            rows,
            spaces: &spaces,
            gathered: &vectors,
            uploaded: uploaded.as_ref(),
            gradients: sparse,
            scale: clipped.as_ref(),
            rate: factor as f32,
        });
    }

    /// Limits the norm of all gradients together. Gradients on a device of its own memory are scaled there, by the
    /// number that comes back, without the host knowing it.
    fn clip(
        &self,
        limit: f64,
        norms: Norms,
        model: &AnyModel,
        dense: &mut GradientsParams,
        sparse: &mut Sparse,
        own_memory: bool,
    ) -> Tensor<1> {
        let device = self.weights.device().clone().inner();
        let squares = norms.dense.into_iter().chain(norms.on_device).reduce(|a, b| a + b);
        let all = squares.unwrap_or_else(|| Tensor::zeros([1], &device)) + norms.in_host as f32;
        let by = (all.sqrt().clamp_min(1e-12).recip() * limit as f32).clamp_max(1.0);
        if sparse.host.iter().any(|g| !g.is_empty()) {
            let factor = traffic::read_from(by.clone(), own_memory)[0];
            if factor < 1.0 {
                sparse.host.iter_mut().for_each(|g| g.scale(factor));
                scale(model, dense, &by);
            }
        } else {
            scale(model, dense, &by);
        }
        by
    }
}

/// Sums of squares of gradients.
struct Norms {
    dense: Option<Tensor<1>>,
    on_device: Option<Tensor<1>>,
    in_host: f64,
}
