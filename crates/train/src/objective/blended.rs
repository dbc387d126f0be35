//! A loss over lists with a share of cross-entropy, so that scores are log-odds too.

use std::sync::Arc;

use burn::tensor::Tensor;
use burnrec_features::{Batch, TargetFit};
use burnrec_models::Head;

use crate::objective::bce::Bce;
use crate::objective::contract::{Link, Objective, Takes};
use crate::objective::target::{HostTarget, Target};

#[derive(Clone, Debug)]
pub(super) struct Blended {
    pub(super) main: Arc<dyn Objective>,
    pub(super) pointwise: f64,
}

impl Objective for Blended {
    fn takes(&self) -> Takes {
        self.main.takes()
    }

    fn link(&self) -> Link {
        Bce.link()
    }

    fn bias(&self, fit: &TargetFit) -> Vec<f32> {
        Bce.bias(fit)
    }

    fn prepare(&self, batch: &Batch, task: usize) -> HostTarget {
        self.main.prepare(batch, task)
    }

    fn loss(&self, head: &Head, sampled: Option<&Tensor<2>>, target: &Target) -> Tensor<1> {
        self.main.loss(head, sampled, target) + Bce.loss(head, sampled, target) * self.pointwise
    }
}
