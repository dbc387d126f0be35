//! What a batch's scores should have been, on the host and on the device that computes.

use burn::tensor::{Device, Tensor};
use burnrec_backend::{average, total};
use burnrec_features::Batch;

use crate::objective::drawn::{Drawn, HostDrawn};
use crate::objective::lists::{HostLists, Lists};

/// Of one task, made on the loader's thread.
#[derive(Clone, Debug, Default)]
pub struct HostTarget {
    /// `[B]`
    pub labels: Vec<f32>,
    /// `[B]`, 0 where the label is not known; none where all rows weigh 1.
    pub weights: Option<Vec<f32>>,
    /// Sum of the weights: what a mean is taken over.
    pub total: f64,
    /// The lists that rows form.
    pub lists: Option<HostLists>,
    /// What was drawn for the batch.
    pub drawn: Option<HostDrawn>,
}

impl HostTarget {
    /// Rows by themselves.
    pub(crate) fn of_rows(batch: &Batch, task: usize) -> Self {
        let targets = &batch.targets;
        let plain = batch.weight.is_empty() && targets.known.is_none() && targets.weights.is_none();
        let weight = |row: usize| batch.weight.get(row).copied().unwrap_or(1.0) * targets.weight(row, task);
        let weights: Option<Vec<f32>> = (!plain).then(|| (0..batch.rows).map(weight).collect());
        let total = weights.as_ref().map_or(batch.rows as f64, |w| w.iter().map(|w| f64::from(*w)).sum());
        Self { labels: targets.column(task), weights, total, lists: None, drawn: None }
    }

    /// Whether there is anything to learn: not where no list has a better and a worse row, nor where no label is known.
    pub(crate) fn teaches(&self) -> bool {
        self.total > 0.0 && self.lists.as_ref().is_none_or(HostLists::teaches)
    }

    /// The columns that go along with an upload, in the order in which [`HostTarget::target`] takes them.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &[f32]> {
        std::iter::once(self.labels.as_slice()).chain(self.weights.as_deref())
    }

    /// On a device; `column` gives the next of [`HostTarget::columns`] there.
    pub(crate) fn target(&self, device: &Device, mut column: impl FnMut(&[f32]) -> Tensor<2>) -> Target {
        Target {
            labels: column(&self.labels),
            weights: self.weights.as_deref().map(&mut column),
            total: self.total,
            lists: self.lists.as_ref().map(|lists| lists.upload(device)),
            drawn: self.drawn.as_ref().map(|drawn| drawn.upload(device)),
        }
    }
}

/// Of one task, on the device that computes.
#[derive(Clone, Debug)]
pub struct Target {
    /// `[B, 1]`
    pub labels: Tensor<2>,
    /// `[B, 1]`, 0 where the label is not known; none where all rows weigh 1.
    pub weights: Option<Tensor<2>>,
    /// Sum of the weights.
    pub total: f64,
    /// The lists that rows form.
    pub lists: Option<Lists>,
    /// What was drawn for the batch.
    pub drawn: Option<Drawn>,
}

impl Target {
    /// The weighted mean of a number a row `[B, 1]`; 0 where nothing is known.
    pub(crate) fn mean(&self, each: Tensor<2>) -> Tensor<1> {
        match &self.weights {
            None => average(each),
            Some(weights) if self.total > 0.0 => total(each * weights.clone()) / self.total,
            Some(weights) => total(each * weights.clone()),
        }
    }
}
