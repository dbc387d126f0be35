//! Rows that are predicted before they are learned from: what a schedule is judged by.

use std::collections::BTreeMap;
use std::sync::Arc;

use burnrec_data::Side;
use burnrec_data::split::{Dataset, Window};
use burnrec_features::{Draws, Encoder, Purpose};
use burnrec_record::TaskMetrics;

use super::journal::Journal;
use super::{Notice, Session};
use crate::calibrate::{Calibration, apply, fit};
use crate::error::TrainError;
use crate::measure::{Asked, score_rows};
use crate::metrics::{Predictions, compute};
use crate::run::Manifest;
use crate::stop::Stop;

impl Session<'_> {
    /// Predicts the rows of a window by the weights that stand.
    pub(super) fn predict(&self, window: &Window) -> Result<Vec<Predictions>, TrainError> {
        self.predict_by(window, &self.encoder)
    }

    fn predict_by(&self, window: &Window, encoder: &Arc<Encoder>) -> Result<Vec<Predictions>, TrainError> {
        let dataset: Dataset = self.job.dataset.view(window, None)?;
        let rows = dataset.stream(Side::Train, &encoder.schema().columns(true))?;
        let source = dataset.source(Side::Train);
        let asked = Asked { rows, source, encoder, purpose: Purpose::Measure, draws: Draws::Nothing, cache: None };
        Ok(score_rows(&self.stepper.weights, self.job.checked.tasks(), asked, &Stop::default())?.known)
    }

    /// Predicts the rows of a window, and keeps what was predicted.
    pub(super) fn judge(&mut self, window: &Window) -> Result<(), TrainError> {
        let known = self.predict(window)?;
        self.note_judged(&known)
    }

    /// Predicts the rows of a window by the curves that stand, keeps that, and fits the curves to come on them.
    pub(super) fn calibrate(&mut self, how: Calibration, window: &Window) -> Result<(), TrainError> {
        let bare = Arc::new(self.encoder.with_curves(BTreeMap::new()));
        let mut known = self.predict_by(window, &bare)?;
        let (tasks, before) = (self.job.checked.tasks().clone(), self.encoder.fitted().curves.clone());
        let curves = fit(how, &tasks, &known, &before);
        apply(&tasks, &mut known, &before);
        self.note_judged(&known)?;
        self.encoder = Arc::new(self.encoder.with_curves(curves));
        // What is predicted by from now on is a checkpoint of its own, though no step was taken.
        self.progress.epoch += 1;
        self.progress.best_epoch = self.progress.epoch;
        self.checkpoint(true)
    }

    /// Predicts by the weights alone from now on.
    pub(super) fn drop_curves(&mut self) {
        if !self.encoder.fitted().curves.is_empty() {
            self.encoder = Arc::new(self.encoder.with_curves(BTreeMap::new()));
        }
    }

    /// Keeps what was predicted of rows that are about to be learned from.
    pub(super) fn note_judged(&mut self, known: &[Predictions]) -> Result<(), TrainError> {
        let (records, sum) = (self.progress.judged, self.progress.judged_sum.clone());
        let journal = match &mut self.journal {
            Some(journal) => journal,
            none => none.insert(Journal::open(self.folder.path(), records, &sum)?),
        };
        journal.add(known)?;
        (self.progress.judged, self.progress.judged_sum) = (journal.records(), journal.sum());
        Ok(())
    }

    pub(super) fn read_judged(&self, range: std::ops::Range<u64>) -> Result<Vec<Predictions>, TrainError> {
        let tasks = self.job.checked.tasks().len();
        match &self.journal {
            Some(journal) => journal.read(range, tasks),
            None => Ok(vec![Predictions::default(); tasks]),
        }
    }

    /// Metrics of what was predicted in the last phase.
    ///
    /// # Errors
    /// A journal that cannot be read.
    pub fn judged(&self) -> Result<TaskMetrics, TrainError> {
        Ok(self.metrics_of(&self.read_judged(self.progress.judged_before..self.progress.judged)?))
    }

    /// Metrics of all that was predicted before it was learned from, in all phases.
    ///
    /// # Errors
    /// A journal that cannot be read.
    pub fn judged_in_all(&self) -> Result<TaskMetrics, TrainError> {
        Ok(self.metrics_of(&self.read_judged(0..self.progress.judged)?))
    }

    /// Steps that were taken in all phases.
    pub fn steps(&self) -> u64 {
        self.progress.step
    }

    /// Tells the job's observer something.
    pub fn tell(&mut self, notice: &Notice<'_>) {
        self.observer.notice(notice);
    }

    /// A fingerprint of the latest checkpoint: of the sizes and hashes of its files.
    ///
    /// # Errors
    /// A manifest that cannot be read.
    pub fn made(&self) -> Result<String, TrainError> {
        Ok(Manifest::read(&self.folder.checkpoints())?.map_or_else(String::new, |manifest| manifest.fingerprint()))
    }

    /// Rows that were learned from in all phases, each as often as it was.
    pub fn rows_learned(&self) -> u64 {
        self.progress.rows
    }

    fn metrics_of(&self, known: &[Predictions]) -> TaskMetrics {
        let tasks = self.job.checked.tasks().iter().zip(known);
        // Groups are not kept: what needs them is of whole sides.
        let of = |(task, known): (&crate::task::Task, &Predictions)| {
            let names: Vec<_> = task.metrics.iter().filter(|name| !name.needs_groups()).copied().collect();
            (task.name.clone(), compute(&names, known))
        };
        TaskMetrics(tasks.map(of).collect())
    }

    /// Lets the weights that stood before a training from scratch and those that it made predict rows that neither learned
    /// from; the better ones stay, the new ones where they are alike.
    pub(super) fn contest(&mut self, window: &Window) -> Result<(), TrainError> {
        let new = self.metrics_of(&self.predict(window)?);
        let (step, epoch) = (self.progress.step, self.progress.epoch);
        self.start_best()?;
        let old = self.metrics_of(&self.predict(window)?);
        let monitor = self.job.checked.monitor();
        let (was, is) = (monitor.value(&old), monitor.value(&new));
        let keeps = matches!((was, is), (Some(was), Some(is)) if monitor.improves(is, was));
        let show = |value: Option<f64>| value.map_or("undefined".to_string(), |v| format!("{v:.4}"));
        let text = format!(
            "{} of the next window: {} as it stood, {} trained from scratch; {} goes on",
            monitor.name(),
            show(was),
            show(is),
            if keeps { "the first" } else { "the second" }
        );
        self.observer.notice(&Notice::Note(&text));
        self.folder.event(
            "contest",
            epoch,
            step,
            if keeps { "old" } else { "new" },
            if keeps { &old } else { &new },
        )?;
        if !keeps {
            self.start_latest()?;
        }
        Ok(())
    }
}
