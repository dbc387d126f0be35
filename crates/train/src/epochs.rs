//! What happens behind an epoch: evaluation, the choice of the best, stopping early; and the test at the end.

use std::time::Instant;

use burnrec_data::Side;

use crate::checkpoint::Manifest;
use crate::error::TrainError;
use crate::measure::measure;
use crate::metrics::Metrics;
use crate::observer::Event;
use crate::rate::RateSchedule;
use crate::saved::SavedModel;
use crate::summary::{Parameters, Summary, Throughput, peak_memory_bytes};
use crate::trainer::Run;

impl Run<'_> {
    /// Evaluates the epoch that just ended, decides on stopping, and makes a checkpoint.
    pub(crate) fn validate(&mut self) -> Result<(), TrainError> {
        if self.rows.get("valid").copied().unwrap_or(0) == 0 {
            self.progress.best_epoch = self.progress.epoch;
            return self.checkpoint(true);
        }
        let start = Instant::now();
        let metrics = self.measure(Side::Valid)?;
        *self.seconds.entry("valid").or_insert(0.0) += start.elapsed().as_secs_f64();
        let value = metrics.get(&self.monitor.name());
        let improves =
            |best: f64, value: f64| if self.monitor.larger_is_better() { value > best } else { value < best };
        let is_best = match (self.progress.best, value) {
            (None, _) => true,
            (Some(best), Some(value)) => improves(best, value),
            (Some(_), None) => false,
        };
        self.note_epoch(value, is_best);
        self.folder.event("train", self.progress.epoch, self.progress.step, "valid", &metrics)?;
        self.observer.event(&Event::Metrics {
            epoch: self.progress.epoch,
            split: "valid",
            metrics: &metrics,
            best: is_best,
        });
        if is_best {
            self.valid = Some(metrics);
        }
        self.checkpoint(is_best)
    }

    pub(crate) fn note_epoch(&mut self, value: Option<f64>, is_best: bool) {
        let train = &self.job.experiment.train;
        let progress = &mut self.progress;
        if is_best {
            (progress.best, progress.best_epoch) = (value, progress.epoch);
            (progress.waited, progress.waited_for_plateau) = (0, 0);
            return;
        }
        progress.waited += 1;
        progress.waited_for_plateau += 1;
        if let RateSchedule::Plateau { patience, .. } = train.schedule
            && progress.waited_for_plateau >= patience.max(1)
        {
            progress.plateaus += 1;
            progress.waited_for_plateau = 0;
        }
        progress.stopped_early = train.patience > 0 && progress.waited >= train.patience;
    }

    pub(crate) fn measure(&mut self, side: Side) -> Result<Metrics, TrainError> {
        // An epoch's evaluation is finished even when a stop is asked for: the checkpoint after it needs it.
        let (metrics, baseline) = measure(
            &mut self.learner,
            &self.encoder,
            &self.job.dataset,
            side,
            &self.job.experiment,
            &self.measured,
            &self.names,
        )?;
        if let Some(baseline) = baseline {
            self.baselines.insert(side.name(), baseline);
        }
        match metrics.not_finite() {
            Some(score) => Err(TrainError::Diverged {
                step: self.progress.step,
                loss: score,
                learning_rate: self.job.experiment.train.learning_rate,
            }),
            None => Ok(metrics),
        }
    }

    /// Metrics of the best epoch's weights on the test side.
    pub(crate) fn test(&mut self) -> Result<Option<Metrics>, TrainError> {
        let start = Instant::now();
        let checkpoints = self.folder.checkpoints();
        if let Some(manifest) = Manifest::read(&checkpoints)?
            && let Some(best) = manifest.best.clone()
            && best != manifest.latest
        {
            let opened = SavedModel::open_checkpoint(
                &manifest,
                &checkpoints,
                &best,
                self.job.experiment.clone(),
                &self.job.opened,
            )?;
            self.learner = opened.learner;
        }
        if self.valid.is_none() && self.rows.get("valid").copied().unwrap_or(0) > 0 {
            self.valid = Some(self.measure(Side::Valid)?);
        }
        if self.rows.get("test").copied().unwrap_or(0) == 0 {
            return Ok(None);
        }
        self.observer.event(&Event::Phase("testing the best epoch"));
        let metrics = self.measure(Side::Test)?;
        self.folder.event("test", self.progress.best_epoch, self.progress.step, "test", &metrics)?;
        self.observer.event(&Event::Metrics {
            epoch: self.progress.best_epoch,
            split: "test",
            metrics: &metrics,
            best: true,
        });
        self.seconds.insert("test", start.elapsed().as_secs_f64());
        Ok(Some(metrics))
    }

    pub(crate) fn summary(&mut self, status: &'static str, test: Option<Metrics>) -> Summary {
        let facts = self.learner.tables.facts();
        let mut times = std::mem::take(&mut self.step_times);
        times.sort_by(f32::total_cmp);
        let progress = &self.progress;
        let sides = [("valid", self.valid.take()), ("test", test)];
        let sides: Vec<_> = sides.into_iter().filter_map(|(name, m)| Some((name, m?))).collect();
        let undefined = |m: &Metrics| serde_json::Value::Object(m.undefined());
        Summary {
            status,
            model: self.job.experiment.model.name(),
            device: self.job.opened.facts.clone(),
            placement: self.learner.tables.placement(),
            seed: self.job.experiment.run.seed,
            epochs: self.progress.epoch,
            best_epoch: self.progress.best_epoch,
            rows: self.rows.clone(),
            undefined: sides
                .iter()
                .filter(|(_, m)| !m.undefined().is_empty())
                .map(|(n, m)| (*n, undefined(m)))
                .collect(),
            metrics: sides.iter().map(|(n, m)| (*n, m.values())).collect(),
            baselines: self
                .baselines
                .iter()
                .map(|(n, m)| (*n, serde_json::json!({ "popularity": m.values() })))
                .collect(),
            throughput: Throughput {
                rows_per_second: if progress.seconds > 0.0 { progress.rows as f64 / progress.seconds } else { 0.0 },
                median_step_ms: times.get(times.len() / 2).map_or(0.0, |s| f64::from(*s) * 1e3),
            },
            seconds: self.seconds.clone(),
            parameters: Parameters {
                dense: self.learner.model().map_or(0, burn::module::Module::num_params) as u64,
                embedding_rows: facts.rows,
                embedding_floats: facts.floats,
                embedding_non_zero: facts.non_zero,
            },
            peak_memory_bytes: peak_memory_bytes(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
