//! What a training job tells while it runs, and how it is asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::metrics::Metrics;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A phase begins: fitting, training, testing.
    Phase(&'a str),
    /// An epoch begins at this step of it; `steps` are expected, where that is known.
    Epoch {
        /// From 1.
        epoch: usize,
        /// Epochs at most.
        epochs: usize,
        /// Steps of the epoch, where the rows are known.
        steps: Option<u64>,
        /// Steps of it that were done before (a resumed run).
        done: u64,
    },
    /// A step was taken.
    Step {
        /// Over all epochs, from 1.
        step: u64,
        /// Mean loss since the last value, every `log_every` steps.
        loss: Option<f64>,
        /// Rows of the step.
        rows: usize,
    },
    /// Metrics of a side.
    Metrics {
        /// The epoch, from 1.
        epoch: usize,
        /// `valid` or `test`.
        split: &'a str,
        /// The values.
        metrics: &'a Metrics,
        /// Whether it is the best epoch so far.
        best: bool,
    },
    /// A checkpoint is safe on disk.
    Checkpoint {
        /// Its step.
        step: u64,
    },
    /// Anything else worth a line.
    Note(&'a str),
}

/// Watches a job.
pub trait Observer {
    /// Called on every event, on the training thread.
    fn event(&mut self, event: &Event<'_>);
}

/// Watches nothing.
impl Observer for () {
    fn event(&mut self, _event: &Event<'_>) {}
}

/// A request to stop, shared with a signal handler.
#[derive(Clone, Debug, Default)]
pub struct Stop(pub Arc<AtomicBool>);

impl Stop {
    /// Whether a stop was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
