//! Objectives: what a batch's scores should have been, one file a loss, one list of them.

mod bce;
mod blended;
mod bpr;
mod column;
mod contract;
mod cross_entropy;
mod drawn;
mod huber;
mod lambdarank;
mod listnet;
mod lists;
mod mse;
mod negative_sampling;
mod pairs;
mod ranknet;
mod sampled_softmax;
mod softmax;
mod span;
mod target;
#[cfg(test)]
mod tests;
mod weighted_logistic;

use std::sync::Arc;

pub(crate) use column::column;
pub use contract::{Compares, Labels, Link, Objective, Takes};
pub use target::{HostTarget, Target};

use crate::experiment::LossKind;

/// A loss, its name, and what makes it.
type Entry = (LossKind, &'static str, fn() -> Arc<dyn Objective>);

/// Every loss.
const ALL: [Entry; 12] = [
    (LossKind::Bce, "bce", || Arc::new(bce::Bce)),
    (LossKind::CrossEntropy, "cross_entropy", || Arc::new(cross_entropy::CrossEntropy)),
    (LossKind::Mse, "mse", || Arc::new(mse::Mse)),
    (LossKind::Huber, "huber", || Arc::new(huber::Huber)),
    (LossKind::WeightedLogistic, "weighted_logistic", || Arc::new(weighted_logistic::WeightedLogistic)),
    (LossKind::Bpr, "bpr", || Arc::new(bpr::Bpr)),
    (LossKind::Ranknet, "ranknet", || Arc::new(ranknet::Ranknet)),
    (LossKind::Lambdarank, "lambdarank", || Arc::new(lambdarank::Lambdarank)),
    (LossKind::Listnet, "listnet", || Arc::new(listnet::Listnet)),
    (LossKind::Softmax, "softmax", || Arc::new(softmax::Softmax)),
    (LossKind::SampledSoftmax, "sampled_softmax", || Arc::new(sampled_softmax::SampledSoftmax)),
    (LossKind::NegativeSampling, "negative_sampling", || Arc::new(negative_sampling::NegativeSampling)),
];

impl LossKind {
    fn entry(self) -> &'static Entry {
        ALL.iter().find(|(kind, ..)| *kind == self).unwrap_or(&ALL[0])
    }

    /// The name in configs.
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// The objective, with this times the cross-entropy added.
    pub fn objective(self, pointwise: f64) -> Arc<dyn Objective> {
        let objective = (self.entry().2)();
        match pointwise > 0.0 {
            true => Arc::new(blended::Blended { main: objective, pointwise }),
            false => objective,
        }
    }
}

/// The names of the losses that compare so.
pub(crate) fn names(compares: Compares) -> String {
    let own = ALL.iter().filter(|(.., make)| make().takes().compares == compares).map(|(_, name, _)| *name);
    own.collect::<Vec<_>>().join(", ")
}
