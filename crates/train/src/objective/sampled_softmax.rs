//! Each positive row's own item among those that were drawn for the batch, the logarithm of how often each is expected
//! taken off its logit (Covington et al., RecSys 2016).

use burn::tensor::{Tensor, activation::log_softmax};
use burnrec_features::Batch;
use burnrec_models::Head;

use crate::objective::contract::{Compares, Labels, Link, Objective, Takes};
use crate::objective::drawn::HostDrawn;
use crate::objective::target::{HostTarget, Target};

#[derive(Clone, Copy, Debug)]
pub(super) struct SampledSoftmax;

impl Objective for SampledSoftmax {
    fn takes(&self) -> Takes {
        Takes { labels: Labels::BINARY, compares: Compares::Drawn }
    }

    fn link(&self) -> Link {
        Link::Order
    }

    /// Rows weigh by their label: those of label 0 are no classes.
    fn prepare(&self, batch: &Batch, task: usize) -> HostTarget {
        let plain = HostTarget::of_rows(batch, task);
        let weight = |(row, label): (usize, &f32)| label * plain.weights.as_ref().map_or(1.0, |w| w[row]);
        let weights: Vec<f32> = plain.labels.iter().enumerate().map(weight).collect();
        let total = weights.iter().map(|w| f64::from(*w)).sum();
        let drawn = batch.drawn.as_ref().map(|drawn| HostDrawn::new(drawn, batch.rows));
        HostTarget { weights: Some(weights), total, drawn, ..plain }
    }

    /// # Shapes
    /// - scores `[B, 1]`, sampled `[B, S]`
    fn loss(&self, head: &Head, sampled: Option<&Tensor<2>>, target: &Target) -> Tensor<1> {
        let (Some(sampled), Some(drawn)) = (sampled, &target.drawn) else { return (head.scores() * 0.0).sum() };
        let all = drawn.against(head.scores(), sampled.clone()); // [B, S + 1]
        let rows = all.dims()[0];
        target.mean(log_softmax(all, 1).slice([0..rows, 0..1]).neg())
    }
}
