//! The first stage: rows of the batch's ids, and their vectors as leaves of the graph.

use burn::tensor::Tensor;
use burnrec_embedding::{Gathered as Vectors, SpaceBatch, Uploaded};
use burnrec_models::{Inputs, Model};

use super::Stepper;
use crate::error::TrainError;
use crate::feed::{Prepared, divided, feed, following};
use crate::objective::Target;

/// A batch as the model reads it, with what the way back needs.
pub struct Gathered {
    pub(crate) inputs: Inputs,
    /// What each lookup gave, where gradients come back to.
    pub(crate) leaves: Vec<Tensor<3>>,
    pub(crate) targets: Vec<Target>,
    /// Whether each task has something to learn.
    pub(crate) teaches: Vec<bool>,
    /// Rows of the batch.
    pub(crate) rows: usize,
    pub(crate) spaces: Vec<SpaceBatch>,
    pub(crate) vectors: Vectors,
    pub(crate) uploaded: Option<Uploaded>,
}

impl Stepper {
    /// Forgets ids where it is time, admits new ones, and gathers.
    pub(super) fn gather(&mut self, prepared: Prepared) -> Result<Gathered, TrainError> {
        let Prepared { batch, mut spaces, packing, targets } = prepared;
        let teaches = targets.iter().map(crate::objective::HostTarget::teaches).collect();
        // Where some tables rest nothing is forgotten: their rows are shared.
        let due = self.clock > 0 && self.resting.learns.is_empty();
        if let Some(evict) = self.evict.as_ref().filter(|evict| due && self.clock.is_multiple_of(evict.every)) {
            self.weights.tables.evict(evict);
        }
        self.weights.tables.admit(&batch)?;
        self.weights.tables.resolve(&batch, &mut spaces);
        let (tables, device) = (&self.weights.tables, self.weights.device());
        let (feed, vectors) = feed(tables, self.weights.slots(), device, &batch, &spaces, packing, &targets);
        let following = match self.weights.model()?.wants_following() {
            Some(near) => following(tables, &batch, device, near, self.seed, self.clock),
            None => Vec::new(),
        };
        let tracked = |own: Vec<Tensor<2>>| own.into_iter().map(Tensor::require_grad).collect::<Vec<_>>();
        let leaves: Vec<Tensor<3>> = feed.leaves.into_iter().map(Tensor::require_grad).collect();
        let (lookups, squares) = divided(&leaves, tables);
        let inputs = Inputs {
            lookups,
            squares,
            sequences: feed.sequences.into_iter().map(tracked).collect(),
            segments: feed.segments,
            one_history: false,
            scored: Vec::new(),
            following,
            numeric: feed.numeric,
            sharing: batch.drawn.as_ref().map(|drawn| drawn.sharing),
            requests: feed.requests,
        };
        Ok(Gathered {
            inputs,
            leaves,
            targets: feed.targets,
            teaches,
            rows: batch.rows,
            spaces,
            vectors,
            uploaded: feed.uploaded,
        })
    }
}
