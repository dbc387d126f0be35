//! Cross-entropy of the softmax of scores against the labels' shares of their sum.

use burn::tensor::Tensor;
use burnrec_features::Batch;
use burnrec_models::Head;

use crate::objective::contract::{Compares, Labels, Link, Objective, Takes};
use crate::objective::lists::{HostLists, Lists};
use crate::objective::target::{HostTarget, Target};

#[derive(Clone, Copy, Debug)]
pub(super) struct Softmax;

/// What each row of a list weighs among them.
fn shares(labels: &[f32]) -> Vec<f64> {
    labels.iter().map(|y| f64::from(y.max(0.0))).collect()
}

impl Objective for Softmax {
    fn takes(&self) -> Takes {
        Takes {
            labels: Labels::graded(0.0, f32::MAX, "loss = \"softmax\", which shares them out"),
            compares: Compares::Lists,
        }
    }

    fn link(&self) -> Link {
        Link::Order
    }

    fn prepare(&self, batch: &Batch, task: usize) -> HostTarget {
        let teaches = |labels: &[f32]| labels.len() > 1 && labels.iter().any(|y| *y > 0.0);
        let lists = HostLists::shares(batch, task, &shares, &teaches);
        HostTarget { lists: Some(lists), ..HostTarget::of_rows(batch, task) }
    }

    fn loss(&self, head: &Head, _sampled: Option<&Tensor<2>>, target: &Target) -> Tensor<1> {
        Lists::loss_of(target.lists.as_ref(), head.scores())
    }
}
