//! Weighted logistic regression (Covington et al., RecSys 2016): a positive row weighs its label T, one of label 0 weighs
//! 1; the odds learned are the expected T.

use burn::tensor::{Tensor, activation::softplus};
use burnrec_features::TargetFit;
use burnrec_models::Head;

use crate::objective::contract::{Compares, Labels, Link, Objective, Takes};
use crate::objective::target::Target;

#[derive(Clone, Copy, Debug)]
pub(super) struct WeightedLogistic;

impl Objective for WeightedLogistic {
    fn takes(&self) -> Takes {
        let labels = Labels::numbers(0.0, f32::MAX, "loss = \"weighted_logistic\", whose rows weigh by them");
        Takes { labels, compares: Compares::Rows }
    }

    fn link(&self) -> Link {
        Link::Exp
    }

    fn bias(&self, fit: &TargetFit) -> Vec<f32> {
        vec![fit.mean.max(1e-12).ln() as f32]
    }

    fn loss(&self, head: &Head, _sampled: Option<&Tensor<2>>, target: &Target) -> Tensor<1> {
        let (logits, labels) = (head.scores(), target.labels.clone());
        let watched = labels.clone().greater_elem(0.0).float();
        let each = softplus(logits.clone().neg(), 1.0) * labels + softplus(logits, 1.0) * (watched.neg() + 1.0);
        target.mean(each)
    }
}
