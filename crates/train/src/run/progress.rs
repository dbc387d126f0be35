//! Where training stands: what a checkpoint says beside weights, and how epochs are judged.

use burnrec_data::events::{Entry, Place};
use serde::{Deserialize, Serialize};

use crate::experiment::{RateSchedule, TrainConfig};

/// How the folders of checkpoints begin.
pub(super) const STEP: &str = "step-";

/// Where training stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Steps taken.
    pub step: u64,
    /// Steps that the weights took: fewer, where a phase started from earlier ones.
    pub clock: u64,
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
    /// Predictions that were made of rows before they were learned from.
    #[serde(default)]
    pub judged: u64,
    /// A hash over them.
    #[serde(default)]
    pub judged_sum: String,
    /// Those of them that were made before the phase began.
    #[serde(default)]
    pub judged_before: u64,
    /// What the gate of the phase decided; none where it has none, or has not yet.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// How far a stream of events was read.
    #[serde(default)]
    pub stream: StreamPlace,
}

/// What a gate decided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Log-loss of the published model on the window.
    pub published: f64,
    /// That of what the last round made.
    pub candidate: f64,
    /// Whether it is published now.
    pub passes: bool,
}

/// How far a stream of events was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StreamPlace {
    /// Bytes of it.
    pub bytes: u64,
    /// Lines of it.
    pub lines: u64,
    /// The last entry of a stream of Redis.
    pub entry: Entry,
    /// A hash of the beginning of a file that is read, and how many bytes that is of.
    pub head: (u64, u64),
    /// Events that were learned from.
    pub rows: u64,
    /// Lines that were put aside.
    pub rejected: u64,
    /// Bytes of the file that they were put in.
    pub rejected_bytes: u64,
    /// Events that came behind one of a later time.
    pub late: u64,
    /// Lines with nothing but labels, whose event was gone or never came.
    pub orphans: u64,
    /// Lines that said once more what an event that waits came as.
    pub duplicates: u64,
    /// The latest event time, in nanoseconds since 1970; 0 before the first.
    pub newest: i64,
    /// Sums over the rows that were predicted before they were learned from: of weights, log-losses, labels and predictions.
    pub sums: [f64; 4],
}

impl StreamPlace {
    pub(crate) fn place(&self) -> Place {
        Place { bytes: self.bytes, lines: self.lines, entry: self.entry }
    }
}

impl Progress {
    /// A checkpoint's folder. The last step of an epoch may be saved twice, before and after its evaluation; a folder that the
    /// manifest names is never written again.
    pub(super) fn folder(&self) -> String {
        format!("{STEP}{:012}-epoch-{}", self.step, self.epoch)
    }

    /// What is wrong with it, where something is: it is read from files, and steps are counted by it.
    pub(crate) fn check(&self, name: &str, tasks: usize) -> Result<(), String> {
        let finite = self.losses.iter().chain(&self.best).chain([&self.seconds]).all(|v| v.is_finite());
        match () {
            () if name != self.folder() || self.clock > self.step => Err("is of another step than its folder".into()),
            () if self.first_epoch > self.epoch || self.best_epoch > self.epoch => Err("is of epochs to come".into()),
            () if self.step_in_epoch > self.step || self.losses_of > self.step => {
                Err("has more steps than it took".into())
            }
            () if self.judged_before > self.judged => Err("has fewer predictions than before its phase".into()),
            () if !finite || self.losses.len() > tasks => Err("has losses or times that are none".into()),
            () => Ok(()),
        }
    }

    /// Ends a phase: the next one has its own best epoch, its own patience.
    pub(crate) fn end_phase(&mut self) {
        self.phase += 1;
        self.first_epoch = self.epoch;
        self.judged_before = self.judged;
        self.verdict = None;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_no_run_could_be_in_is_refused() {
        let good =
            Progress { step: 12, epoch: 2, best_epoch: 2, losses: vec![0.5], losses_of: 3, ..Progress::default() };
        let name = good.folder();
        assert_eq!(good.check(&name, 1), Ok(()));
        let odd: [fn(&mut Progress); 7] = [
            |p| p.step = 13,
            |p| p.epoch = usize::MAX,
            |p| p.first_epoch = 3,
            |p| p.step_in_epoch = 13,
            |p| p.seconds = f64::NAN,
            |p| p.best = Some(f64::INFINITY),
            |p| p.losses = vec![0.5, 0.5],
        ];
        for (number, change) in odd.into_iter().enumerate() {
            let mut changed = good.clone();
            change(&mut changed);
            assert!(changed.check(&name, 1).is_err(), "change {number}");
        }
    }
}
