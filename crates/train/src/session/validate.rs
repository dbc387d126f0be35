//! What happens behind an epoch: evaluation, the choice of the best, stopping early; and the test at the end.

use std::time::Instant;

use burnrec_data::Side;
use burnrec_data::split::Dataset;
use burnrec_record::{DETAILS, TaskMetrics};

use super::phase::Current;
use super::{Notice, Session};
use crate::details::details;
use crate::error::TrainError;
use crate::measure::{OneSide, measure};
use crate::metrics::NOT_FINITE;
use crate::run::{Manifest, SavedModel, write_whole};

impl Session<'_> {
    /// Evaluates the epoch that just ended, decides on stopping, and makes a checkpoint.
    pub(super) fn validate(&mut self, current: &Current<'_>) -> Result<(), TrainError> {
        if !current.judged {
            self.progress.best_epoch = self.progress.epoch;
            let phase = current.phase;
            // What a schedule predicts by is never half of a training.
            let scheduled = self.job.checked.experiment().schedule.is_some();
            let whole = !scheduled || self.progress.epoch - self.progress.first_epoch == phase.epochs;
            let publishes = whole && phase.contest.is_none() && phase.gate.is_none();
            return self.checkpoint(publishes);
        }
        let start = Instant::now();
        let metrics = self.measure(&current.dataset, Side::Valid)?;
        self.found.add("valid", start);
        let monitor = self.job.checked.monitor();
        let value = monitor.value(&metrics);
        let is_best = match (self.progress.best, value) {
            (None, value) => value.is_some(),
            (Some(best), Some(value)) => monitor.improves(best, value),
            (Some(_), None) => false,
        };
        if value.is_none() {
            self.tell_undefined(&metrics);
        }
        // Where no epoch had a value yet, the last one stands for the best.
        let stands = is_best || (self.progress.best.is_none() && value.is_none());
        self.progress.note_epoch(value, is_best, &self.job.checked.experiment().train);
        if stands {
            self.progress.best_epoch = self.progress.epoch;
        }
        let (epoch, step) = (self.progress.epoch, self.progress.step);
        self.folder.event("train", epoch, step, "valid", &metrics)?;
        self.observer.notice(&Notice::Metrics { epoch, split: "valid", metrics: &metrics, best: is_best });
        if stands {
            self.found.valid = Some(metrics);
        }
        self.checkpoint(stands)
    }

    fn tell_undefined(&self, metrics: &TaskMetrics) {
        let name = self.job.checked.monitor().name();
        let why = metrics.flat().find_map(|(own, value)| {
            let reason = value.as_ref().err().filter(|_| name.contains(&own))?;
            Some(format!("{own}: {reason}"))
        });
        tracing::warn!(
            "epoch {}: {name}, which decides on the best epoch and on stopping early, is undefined ({}); no epoch is better than the last then: set train.monitor to what is defined, such as logloss",
            self.progress.epoch,
            why.unwrap_or_default()
        );
    }

    fn measure(&mut self, dataset: &Dataset, side: Side) -> Result<TaskMetrics, TrainError> {
        // An epoch's evaluation is finished even when a stop is asked for: the checkpoint after it needs it.
        let checked = &self.job.checked;
        let measured = measure(&self.stepper.weights, checked, &self.encoder, dataset, side)?;
        if let Some(popularity) = measured.popularity {
            self.found.popularity.insert(side.name().to_string(), popularity);
        }
        // Of the side that the report is about.
        let reports = side == Side::Test || self.rows.get("test").copied().unwrap_or(0) == 0;
        self.found.known = reports.then_some((side, measured.known));
        let broken = |(_, value): &(String, Result<f64, String>)| value.as_ref().is_err_and(|why| why == NOT_FINITE);
        match measured.metrics.0.iter().any(|(_, task)| task.0.iter().any(broken)) {
            true => Err(TrainError::Diverged {
                step: self.progress.step,
                loss: f64::NAN,
                learning_rate: checked.experiment().train.learning_rate,
            }),
            false => Ok(measured.metrics),
        }
    }

    /// Writes what the report shows of the weights that were tested, on the test side or else on that of validation.
    pub(super) fn detail(&mut self, tested: bool) -> Result<(), TrainError> {
        let experiment = self.job.checked.experiment();
        let validates = self.rows.get("valid").copied().unwrap_or(0) > 0;
        if !experiment.run.report || experiment.schedule.is_some() || !(tested || validates) {
            return Ok(());
        }
        let (start, dataset) = (Instant::now(), self.job.dataset.clone());
        if !tested {
            self.measure(&dataset, Side::Valid)?;
        }
        let Some((side, known)) = self.found.known.take() else { return Ok(()) };
        self.observer.notice(&Notice::Stage("finding what the report shows"));
        let of = OneSide { dataset: &dataset, side };
        let (weights, checked) = (&self.stepper.weights, &self.job.checked);
        let found = details(weights, checked, &self.encoder, &of, &known, &self.job.stop)?;
        write_whole(&self.folder.path().join(DETAILS), found.text().as_bytes())?;
        self.found.add("report", start);
        Ok(())
    }

    /// Metrics of the best epoch's weights on the test side.
    pub(super) fn test(&mut self) -> Result<Option<TaskMetrics>, TrainError> {
        let start = Instant::now();
        let checkpoints = self.folder.checkpoints();
        if let Some(manifest) = Manifest::read(&checkpoints)?
            && let Some(best) = manifest.best.clone()
            && best != manifest.latest
        {
            let (checked, opened) = (self.job.checked.clone(), &self.job.opened);
            self.stepper.weights =
                SavedModel::open_checkpoint(&manifest, &checkpoints, &best, checked, opened)?.weights;
        }
        let dataset = self.job.dataset.clone();
        if self.found.valid.is_none() && self.rows.get("valid").copied().unwrap_or(0) > 0 {
            self.found.valid = Some(self.measure(&dataset, Side::Valid)?);
        }
        if self.rows.get("test").copied().unwrap_or(0) == 0 {
            return Ok(None);
        }
        self.observer.notice(&Notice::Stage("testing the best epoch"));
        let metrics = self.measure(&dataset, Side::Test)?;
        let epoch = self.progress.best_epoch;
        self.folder.event("test", epoch, self.progress.step, "test", &metrics)?;
        self.observer.notice(&Notice::Metrics { epoch, split: "test", metrics: &metrics, best: true });
        self.found.add("test", start);
        Ok(Some(metrics))
    }
}
