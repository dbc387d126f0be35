//! What a training job tells while it runs.

use burnrec_record::TaskMetrics;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Notice<'a> {
    /// A stage begins: fitting, training, testing.
    Stage(&'a str),
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
        /// Mean loss since the last value, every `log_every` steps: the tasks' losses as they are weighed.
        loss: Option<f64>,
        /// Rows of the step.
        rows: usize,
    },
    /// The steps of an epoch are done; the mean loss of those behind the last that was told.
    Loss {
        /// The tasks' losses as they are weighed; none where no step came behind.
        loss: Option<f64>,
    },
    /// Metrics of a side.
    Metrics {
        /// The epoch, from 1.
        epoch: usize,
        /// `valid` or `test`.
        split: &'a str,
        /// The values.
        metrics: &'a TaskMetrics,
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
    /// Called on everything that happens, on the training thread.
    fn notice(&mut self, notice: &Notice<'_>);
}

/// Watches nothing.
impl Observer for () {
    fn notice(&mut self, _notice: &Notice<'_>) {}
}
