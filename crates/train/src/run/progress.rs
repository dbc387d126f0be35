//! Where training stands: what a checkpoint says beside weights, and how epochs are judged.

use serde::{Deserialize, Serialize};

use crate::experiment::{RateSchedule, TrainConfig};

/// Where training stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Steps taken.
    pub step: u64,
    /// Phases that are complete.
    pub phase: usize,
    /// Epochs that were complete when the phase after them began.
    pub first_epoch: usize,
    /// Epochs that are complete.
    pub epoch: usize,
    /// Steps taken in the epoch after them.
    pub step_in_epoch: u64,
    /// Best value of what is monitored.
    pub best: Option<f64>,
    /// Epoch of the best value, from 1.
    pub best_epoch: usize,
    /// Epochs without a better value.
    pub waited: usize,
    /// Epochs without a better value since the last fall of a plateau schedule.
    pub waited_for_plateau: usize,
    /// Falls of a plateau schedule.
    pub plateaus: u32,
    /// Whether early stopping ended the phase.
    pub stopped_early: bool,
    /// Sums of each task's losses since the last ones that were logged.
    pub losses: Vec<f64>,
    /// Steps that they are of.
    pub losses_of: u64,
    /// Seconds of training steps so far.
    pub seconds: f64,
    /// Rows trained on so far, each as often as it was.
    pub rows: u64,
}

impl Progress {
    /// Ends a phase: the next one has its own best epoch, its own patience.
    pub(crate) fn end_phase(&mut self) {
        self.phase += 1;
        self.first_epoch = self.epoch;
        (self.best, self.waited, self.waited_for_plateau, self.plateaus) = (None, 0, 0, 0);
        self.stopped_early = false;
    }

    /// Takes in what an epoch's validation came to.
    pub(crate) fn note_epoch(&mut self, value: Option<f64>, is_best: bool, train: &TrainConfig) {
        if is_best {
            (self.best, self.best_epoch) = (value, self.epoch);
            (self.waited, self.waited_for_plateau) = (0, 0);
            return;
        }
        self.waited += 1;
        self.waited_for_plateau += 1;
        if let RateSchedule::Plateau { patience, .. } = train.schedule
            && self.waited_for_plateau >= patience.max(1)
        {
            self.plateaus += 1;
            self.waited_for_plateau = 0;
        }
        self.stopped_early = train.patience > 0 && self.waited >= train.patience;
    }
}
