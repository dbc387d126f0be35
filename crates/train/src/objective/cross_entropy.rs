//! Cross-entropy of the softmax over several classes.

use burn::tensor::{Tensor, activation::log_softmax};
use burnrec_features::TargetFit;
use burnrec_models::Head;

use crate::objective::contract::{Compares, Labels, Link, Objective, Takes};
use crate::objective::target::Target;

#[derive(Clone, Copy, Debug)]
pub(super) struct CrossEntropy;

impl Objective for CrossEntropy {
    fn takes(&self) -> Takes {
        Takes { labels: Labels { binary: false, numbers: None, classes: true }, compares: Compares::Rows }
    }

    fn link(&self) -> Link {
        Link::Softmax
    }

    /// The logarithms of the classes' shares; a class that no row has starts far below the others.
    fn bias(&self, fit: &TargetFit) -> Vec<f32> {
        fit.shares.iter().map(|share| share.max(1e-6).ln() as f32).collect()
    }

    fn loss(&self, head: &Head, _sampled: Option<&Tensor<2>>, target: &Target) -> Tensor<1> {
        let logs = log_softmax(head.scores(), 1); // [B, C]
        let place = target.labels.clone().int(); // [B, 1]
        target.mean(logs.gather(1, place).neg())
    }
}
