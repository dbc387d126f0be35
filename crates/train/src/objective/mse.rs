//! Squared error of the number itself.

use burn::tensor::Tensor;
use burnrec_features::TargetFit;
use burnrec_models::Head;

use crate::objective::contract::{Compares, Labels, Link, Objective, Takes};
use crate::objective::target::Target;

#[derive(Clone, Copy, Debug)]
pub(super) struct Mse;

impl Objective for Mse {
    fn takes(&self) -> Takes {
        Takes { labels: Labels::numbers(f32::MIN, f32::MAX, "mse"), compares: Compares::Rows }
    }

    fn link(&self) -> Link {
        Link::Identity
    }

    fn bias(&self, fit: &TargetFit) -> Vec<f32> {
        vec![fit.mean as f32]
    }

    fn loss(&self, head: &Head, _sampled: Option<&Tensor<2>>, target: &Target) -> Tensor<1> {
        let difference = head.scores() - target.labels.clone();
        target.mean(difference.clone() * difference)
    }
}
