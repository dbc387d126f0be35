//! Pairs weighed by what their swap is worth in NDCG (Burges 2010).

use burn::tensor::Tensor;
use burnrec_features::Batch;
use burnrec_models::Head;

use crate::objective::contract::{Compares, Labels, Link, Objective, Takes};
use crate::objective::lists::{HostLists, Lists};
use crate::objective::pairs::Rule;
use crate::objective::target::{HostTarget, Target};

#[derive(Clone, Copy, Debug)]
pub(super) struct Lambdarank;

impl Objective for Lambdarank {
    fn takes(&self) -> Takes {
        Takes {
            labels: Labels::graded(0.0, 30.0, "loss = \"lambdarank\", whose gains are 2^label - 1"),
            compares: Compares::Lists,
        }
    }

    fn link(&self) -> Link {
        Link::Order
    }

    fn prepare(&self, batch: &Batch, task: usize) -> HostTarget {
        HostTarget { lists: Some(HostLists::pairs(Rule::Gain, batch, task)), ..HostTarget::of_rows(batch, task) }
    }

    fn loss(&self, head: &Head, _sampled: Option<&Tensor<2>>, target: &Target) -> Tensor<1> {
        Lists::loss_of(target.lists.as_ref(), head.scores())
    }
}
