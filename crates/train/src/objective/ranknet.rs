//! All pairs of a list, equal ones half and half (Burges et al., ICML 2005).

use burn::tensor::Tensor;
use burnrec_features::Batch;
use burnrec_models::Head;

use crate::objective::contract::{Compares, Labels, Link, Objective, Takes};
use crate::objective::lists::{HostLists, Lists};
use crate::objective::pairs::Rule;
use crate::objective::target::{HostTarget, Target};

#[derive(Clone, Copy, Debug)]
pub(super) struct Ranknet;

impl Objective for Ranknet {
    fn takes(&self) -> Takes {
        Takes { labels: Labels::graded(f32::MIN, f32::MAX, "ranknet"), compares: Compares::Lists }
    }

    fn link(&self) -> Link {
        Link::Order
    }

    fn prepare(&self, batch: &Batch, task: usize) -> HostTarget {
        HostTarget { lists: Some(HostLists::pairs(Rule::All, batch, task)), ..HostTarget::of_rows(batch, task) }
    }

    fn loss(&self, head: &Head, _sampled: Option<&Tensor<2>>, target: &Target) -> Tensor<1> {
        Lists::loss_of(target.lists.as_ref(), head.scores())
    }
}
