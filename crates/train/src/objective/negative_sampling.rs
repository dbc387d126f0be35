//! Pairs of items against what is drawn beside them: `-ln σ(s) - Σ ln σ(-s_k)`, the mean over pairs (Mikolov et al., 2013).

use burn::tensor::{Tensor, activation::softplus};
use burnrec_backend::average;
use burnrec_models::Head;

use crate::objective::contract::{Compares, Labels, Link, Objective, Takes};
use crate::objective::target::Target;

#[derive(Clone, Copy, Debug)]
pub(super) struct NegativeSampling;

impl Objective for NegativeSampling {
    fn takes(&self) -> Takes {
        Takes { labels: Labels::graded(f32::MIN, f32::MAX, "negative_sampling"), compares: Compares::Pairs }
    }

    fn link(&self) -> Link {
        Link::Order
    }

    /// # Shapes
    /// - scores `[B, 1]`, sampled `[B, k]`
    fn loss(&self, head: &Head, sampled: Option<&Tensor<2>>, _target: &Target) -> Tensor<1> {
        let positive = average(softplus(head.scores().neg(), 1.0));
        match sampled {
            Some(sampled) => positive + average(softplus(sampled.clone(), 1.0).sum_dim(1)),
            None => positive,
        }
    }
}
