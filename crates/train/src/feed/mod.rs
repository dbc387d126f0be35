//! A batch on its way to the model: what the loader's thread makes ready, and the tensors on the device that computes.

mod tensors;

use std::sync::Arc;

use burnrec_embedding::{Indexer, Packing, SpaceBatch};
use burnrec_features::Batch;

use crate::objective::HostTarget;
use crate::task::Task;

pub(crate) use tensors::{divided, feed, following};

/// A batch whose keys have rows already, where the tables' policy allows it ahead of time.
pub struct Prepared {
    /// The encoded rows.
    pub batch: Batch,
    /// The rows of each space.
    pub spaces: Vec<SpaceBatch>,
    /// The batch as it goes up to a device with memory of its own.
    pub packing: Option<Packing>,
    /// What each task's scores should have been; nothing for rows without labels, or that are not learned from.
    pub targets: Vec<HostTarget>,
}

/// The half of a step that the loader's thread does, targets of these tasks included; without tasks, that of rows that are
/// only asked about.
pub fn prepare(indexer: Indexer, tasks: Option<Arc<[Task]>>) -> impl Fn(Batch) -> Prepared + Send + 'static {
    move |batch| {
        let spaces = if tasks.is_some() { indexer.prepare(&batch) } else { indexer.look_up(&batch) };
        let tasks = tasks.as_deref().filter(|_| !batch.targets.is_empty()).unwrap_or_default();
        let targets: Vec<HostTarget> = tasks.iter().map(|task| task.prepare(&batch)).collect();
        let columns: Vec<&[f32]> = targets.iter().flat_map(HostTarget::columns).collect();
        let packing = indexer.pack(&batch, &spaces, &columns);
        Prepared { batch, spaces, packing, targets }
    }
}
