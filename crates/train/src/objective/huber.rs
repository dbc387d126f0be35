//! Huber's loss: half the squared error within 1, the distance less ½ beyond.

use burn::tensor::Tensor;
use burnrec_features::TargetFit;
use burnrec_models::Head;

use crate::objective::contract::{Compares, Labels, Link, Objective, Takes};
use crate::objective::target::Target;

#[derive(Clone, Copy, Debug)]
pub(super) struct Huber;

impl Objective for Huber {
    fn takes(&self) -> Takes {
        Takes { labels: Labels::numbers(f32::MIN, f32::MAX, "huber"), compares: Compares::Rows }
    }

    fn link(&self) -> Link {
        Link::Identity
    }

    fn bias(&self, fit: &TargetFit) -> Vec<f32> {
        vec![fit.mean as f32]
    }

    fn loss(&self, head: &Head, _sampled: Option<&Tensor<2>>, target: &Target) -> Tensor<1> {
        let distance = (head.scores() - target.labels.clone()).abs();
        // With q = min(d, 1): q²/2 within 1, and q·(d - q/2) = d - ½ beyond, in one form.
        let within = distance.clone().clamp_max(1.0);
        target.mean(within.clone() * (distance - within * 0.5))
    }
}
