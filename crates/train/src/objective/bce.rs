//! Binary cross-entropy from log-odds.
//!
//! `ln(1 + e^z) - z·y`, stable at both ends, with the gradient `σ(z) - y` at every z: the form with `max(z, 0)` and
//! `|z|` has a wrong one at z = 0, where untrained models start. Of a head of log-probabilities `-(y·ln p + (1-y)·ln(1-p))`.

use burn::tensor::Tensor;
use burnrec_backend::logistic_loss;
use burnrec_features::TargetFit;
use burnrec_models::Head;

use crate::objective::contract::{Compares, Labels, Link, Objective, Takes};
use crate::objective::target::Target;

#[derive(Clone, Copy, Debug)]
pub(super) struct Bce;

impl Objective for Bce {
    fn takes(&self) -> Takes {
        Takes { labels: Labels::BINARY, compares: Compares::Rows }
    }

    fn link(&self) -> Link {
        Link::Sigmoid
    }

    /// The log-odds of the base rate; classes that are all 1 give none.
    fn bias(&self, fit: &TargetFit) -> Vec<f32> {
        let rate = fit.mean;
        vec![if rate > 0.0 && rate < 1.0 { (rate / (1.0 - rate)).ln() as f32 } else { 0.0 }]
    }

    fn loss(&self, head: &Head, _sampled: Option<&Tensor<2>>, target: &Target) -> Tensor<1> {
        let labels = target.labels.clone();
        match head {
            Head::Logit(z) => logistic_loss(z, &labels, target.weights.as_ref(), target.total),
            Head::LogProbability { yes, no } => {
                let others = labels.clone().neg() + 1.0;
                target.mean((yes.clone() * labels + no.clone() * others).neg())
            }
        }
    }
}
