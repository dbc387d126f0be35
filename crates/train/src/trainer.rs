//! A training job from rows to summary.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use burnrec_backend::Opened;
use burnrec_data::split::Dataset;
use burnrec_data::{Side, SplitConfig};
use burnrec_embedding::Tables;
use burnrec_features::{
    Draws, Encoder, FeatureError, Loader, LoaderConfig, Purpose, Schema, SideRows, Vocabulary, load, load_pairs,
    stream_seed,
};
use burnrec_models::{Initial, InputShapes};

use crate::checkpoint::{Manifest, Progress, load_optimizer, save, sweep};
use crate::config::LossKind;
use crate::error::TrainError;
use crate::experiment::Experiment;
use crate::folder::RunFolder;
use crate::learner::{Learner, Prepared, prepare};
use crate::measure::measure;
use crate::measured::Measured;
use crate::metrics::{MetricName, Metrics};
use crate::observer::{Event, Observer, Stop};
use crate::place::{check_placement, table_device};
use crate::rate::RateSchedule;
use crate::saved::SavedModel;
use crate::summary::{Parameters, Summary, Throughput, peak_memory_bytes};

/// Step times that the median is taken over, at most: the latest ones.
const STEP_TIMES: usize = 4096;

/// Everything a job needs; nothing is written before its data proved readable.
pub struct Job {
    /// The configuration, checked.
    pub experiment: Experiment,
    /// The rows, opened and split.
    pub dataset: Dataset,
    /// The device.
    pub opened: Opened,
    /// The run folder.
    pub out: PathBuf,
    /// Whether a run that stands there is continued.
    pub resume: bool,
    /// A request to stop.
    pub stop: Stop,
}

/// Trains, evaluates and reports.
///
/// # Errors
/// Bad data and settings before anything is written; afterwards failures of the disk, and a loss that diverges.
pub fn train(job: Job, observer: &mut dyn Observer) -> Result<Summary, TrainError> {
    Run::start(job, observer)?.finish()
}

struct Run<'a> {
    job: Job,
    observer: &'a mut dyn Observer,
    folder: RunFolder,
    encoder: Arc<Encoder>,
    learner: Learner,
    progress: Progress,
    measured: Measured,
    names: Vec<MetricName>,
    monitor: MetricName,
    rows: SideRows,
    seconds: BTreeMap<&'static str, f64>,
    step_times: Vec<f32>,
    _lock: Option<std::fs::File>,
    valid: Option<Metrics>,
    /// What ranking by training rows comes to, by side.
    baselines: BTreeMap<&'static str, Metrics>,
    pending: Option<burn::tensor::Tensor<1>>,
}

/// One pass over all sides: the encoder fitted on the training rows, every other row checked, all counted.
fn fit(job: &Job, schema: Schema) -> Result<(Encoder, Vec<Vocabulary>, SideRows), TrainError> {
    for side in [Side::Train, Side::Valid, Side::Test] {
        schema.check_columns(&**job.dataset.source(side), true)?;
    }
    let columns = schema.columns(true);
    let (encoder, vocabularies, rows) = Encoder::fit(schema, &job.dataset, &columns)?;
    for side in [Side::Valid, Side::Test] {
        if rows.get(side.name()).copied().unwrap_or(0) == 0 && wants(&job.experiment.data.split, side) {
            return Err(FeatureError::NoRows { side: side.name() }.into());
        }
    }
    Ok((encoder, vocabularies, rows))
}

/// Whether a split promises rows on a side.
fn wants(split: &SplitConfig, side: Side) -> bool {
    match split {
        SplitConfig::Random { valid, test, .. }
        | SplitConfig::Order { valid, test }
        | SplitConfig::Time { valid, test, .. }
        | SplitConfig::UserLast { valid, test, .. } => (if side == Side::Valid { *valid } else { *test }) > 0.0,
        SplitConfig::Day { valid_days, test_days, .. } => {
            (if side == Side::Valid { *valid_days } else { *test_days }) > 0
        }
        SplitConfig::LeaveOneOut { .. } | SplitConfig::Files { .. } => true,
    }
}

impl<'a> Run<'a> {
    fn start(job: Job, observer: &'a mut dyn Observer) -> Result<Self, TrainError> {
        let start = Instant::now();
        let schema = Schema::new(&job.experiment.features)?;
        let measured = Measured::new(&job.experiment, &schema);
        job.experiment.model.check(&schema)?;
        check_placement(&job.opened, job.experiment.backend.placement)?;
        let (names, monitor) =
            (job.experiment.train.metric_names(&measured)?, job.experiment.train.monitor_name(&measured)?);
        let started = RunFolder::is_started(&job.out);
        if !(job.resume && started) {
            RunFolder::check_free(&job.out)?;
        }
        if started {
            RunFolder::check_same(&job.out, &job.experiment)?;
        } else if job.resume {
            let note = format!("{}: holds no run yet; starting one", job.out.display());
            observer.event(&Event::Note(&note));
        }
        let mut lock = if started { Some(RunFolder::lock(&job.out)?) } else { None };
        observer.event(&Event::Phase("fitting the encoder"));
        let (encoder, vocabularies, rows) = fit(&job, schema)?;
        let resumed = if started { Self::reopen(&job, &encoder)? } else { None };
        let encoder = Arc::new(encoder);
        let (folder, learner, progress) = match resumed {
            Some((learner, progress)) => {
                observer.event(&Event::Note(&format!("resuming after step {}", progress.step)));
                (RunFolder::resume(&job.out, progress.step, progress.epoch)?, learner, progress)
            }
            None if started => {
                let learner = fresh(&job, &encoder, &vocabularies)?;
                (RunFolder::resume(&job.out, 0, 0)?, learner, Progress::default())
            }
            None => {
                let learner = fresh(&job, &encoder, &vocabularies)?;
                let folder = RunFolder::create(&job.out, &job.experiment)?;
                lock = Some(RunFolder::lock(&job.out)?);
                (folder, learner, Progress::default())
            }
        };
        std::fs::create_dir_all(folder.checkpoints()).map_err(TrainError::io(&folder.checkpoints()))?;
        crate::catalogue::write(&folder.checkpoints(), &encoder)?;
        Manifest::begin(&folder.checkpoints())?;
        let seconds = BTreeMap::from([("fit", start.elapsed().as_secs_f64())]);
        Ok(Self {
            job,
            observer,
            folder,
            encoder,
            learner,
            progress,
            measured,
            names,
            monitor,
            rows,
            seconds,
            step_times: Vec::new(),
            _lock: lock,
            valid: None,
            baselines: BTreeMap::new(),
            pending: None,
        })
    }

    /// The learner and the place of the latest checkpoint, if there is one.
    fn reopen(job: &Job, encoder: &Encoder) -> Result<Option<(Learner, Progress)>, TrainError> {
        let checkpoints = job.out.join("checkpoints");
        let Some(manifest) = sweep(&checkpoints)? else { return Ok(None) };
        let latest = manifest.latest.clone();
        let loaded = manifest.open(&checkpoints, &latest)?;
        if loaded.fitted != *encoder.fitted() {
            let (was, is) = (&loaded.fitted, encoder.fitted());
            let difference = match was.rows == is.rows {
                true if was.keys != is.keys => "its ids are others".to_string(),
                true => "its columns have other values".to_string(),
                false => format!("{} training rows then, {} now", was.rows, is.rows),
            };
            return Err(TrainError::OtherData { path: job.out.clone(), difference });
        }
        let saved = SavedModel::open_checkpoint(&manifest, &checkpoints, &latest, job.experiment.clone(), &job.opened)?;
        let mut learner = saved.learner;
        learner.optimizer = load_optimizer(&loaded.folder, learner.optimizer)?;
        Ok(Some((learner, loaded.progress)))
    }

    fn finish(mut self) -> Result<Summary, TrainError> {
        let start = Instant::now();
        let mut interrupted = false;
        while !interrupted && self.progress.epoch < self.job.experiment.train.epochs && !self.progress.stopped_early {
            interrupted = !self.epoch()?;
        }
        self.seconds.insert("train", start.elapsed().as_secs_f64() - self.seconds.get("valid").copied().unwrap_or(0.0));
        let status = match (interrupted, self.progress.stopped_early) {
            (true, _) => "interrupted",
            (_, true) => "stopped_early",
            _ => "completed",
        };
        let test = if interrupted { None } else { self.test()? };
        let summary = self.summary(status, test);
        summary.write(self.folder.path())?;
        Ok(summary)
    }

    /// Trains one epoch and evaluates; false where it was interrupted.
    fn epoch(&mut self) -> Result<bool, TrainError> {
        let train = self.job.experiment.train.clone();
        let epoch = self.progress.epoch;
        self.observer.event(&Event::Epoch {
            epoch: epoch + 1,
            epochs: train.epochs,
            steps: self.steps_of_epoch(),
            done: self.progress.step_in_epoch,
        });
        let loader = self.loader(epoch as u64)?;
        let mut last = Instant::now();
        for prepared in loader {
            let prepared = prepared?;
            if self.job.stop.is_asked() {
                self.checkpoint(false)?;
                return Ok(false);
            }
            let rows = prepared.batch.rows;
            let factor = train.schedule.factor(self.progress.step, train.warmup_steps, self.progress.plateaus);
            let loss = self.learner.step(prepared, factor)?;
            self.progress.step += 1;
            self.progress.step_in_epoch += 1;
            self.after_step(loss, rows, &train)?;
            self.time_step(rows, &mut last);
        }
        self.log_loss()?;
        self.progress.epoch += 1;
        self.progress.step_in_epoch = 0;
        self.validate()?;
        Ok(true)
    }

    /// Steps of an epoch, where they are known: with lists and with pairs it takes the draws to tell.
    fn steps_of_epoch(&self) -> Option<u64> {
        let known = !self.measured.pairs && !self.measured.loss.is_of_lists();
        let items = self.encoder.schema().items.as_ref();
        let negatives = items.and_then(|i| i.adds_rows()).map_or(0, |n| n.per_positive as u64);
        let positives = self.encoder.catalogue().map_or(0, |c| c.counts.iter().map(|n| u64::from(*n)).sum::<u64>());
        let rows = self.rows.get("train").filter(|_| known)?;
        let left = self.encoder.schema().trees.as_ref().map_or(1.0, |(trees, _)| 1.0 - trees.share);
        let rows = (*rows as f64 * left).round() as u64;
        Some((rows + positives * negatives).div_ceil(self.job.experiment.train.batch_size as u64))
    }

    /// The batches of an epoch that are still to come.
    fn loader(&self, epoch: u64) -> Result<Loader<Prepared>, TrainError> {
        let (train, seed) = (&self.job.experiment.train, self.job.experiment.run.seed);
        let config = LoaderConfig {
            batch_size: train.batch_size,
            shuffle: train.shuffle.then(|| stream_seed(seed, "shuffle", 0)),
            epoch,
            buffer_rows: train.shuffle_rows,
            prefetch: train.prefetch,
            skip: self.progress.step_in_epoch as usize,
            purpose: Purpose::Train,
            draws: Draws::Negatives(seed),
            lists: self.measured.loss.is_of_lists().then_some(train.list_size),
        };
        let prepare = prepare(self.learner.tables.indexer());
        if self.measured.pairs {
            return Ok(load_pairs(self.encoder.clone(), config, prepare));
        }
        let rows = self.job.dataset.stream(Side::Train, &self.encoder.schema().columns(true))?;
        let source = self.job.dataset.source(Side::Train).clone();
        Ok(load(rows, source, self.encoder.clone(), config, prepare))
    }

    fn after_step(
        &mut self,
        loss: burn::tensor::Tensor<1>,
        rows: usize,
        train: &crate::config::TrainConfig,
    ) -> Result<(), TrainError> {
        self.pending = Some(match self.pending.take() {
            Some(sum) => sum + loss,
            None => loss,
        });
        self.progress.loss.1 += 1;
        let logged = if self.progress.step.is_multiple_of(train.log_every) { self.log_loss()? } else { None };
        self.observer.event(&Event::Step { step: self.progress.step, loss: logged, rows });
        if train.checkpoint_every > 0 && self.progress.step.is_multiple_of(train.checkpoint_every) {
            self.checkpoint(false)?;
        }
        Ok(())
    }

    fn time_step(&mut self, rows: usize, last: &mut Instant) {
        let seconds = last.elapsed().as_secs_f64();
        *last = Instant::now();
        self.progress.seconds += seconds;
        self.progress.rows += rows as u64;
        if self.step_times.len() == STEP_TIMES {
            self.step_times.remove(0);
        }
        self.step_times.push(seconds as f32);
    }

    /// Reads the losses that are still on the device.
    fn read_losses(&mut self) -> Result<(), TrainError> {
        if let Some(sum) = self.pending.take() {
            self.progress.loss.0 += f64::from(sum.into_scalar::<f32>());
        }
        match self.progress.loss.0.is_finite() {
            true => Ok(()),
            false => Err(TrainError::Diverged {
                step: self.progress.step,
                loss: self.progress.loss.0,
                learning_rate: self.job.experiment.train.learning_rate,
            }),
        }
    }

    /// Writes the mean loss since the last value.
    fn log_loss(&mut self) -> Result<Option<f64>, TrainError> {
        self.read_losses()?;
        let (sum, count) = std::mem::take(&mut self.progress.loss);
        if count == 0 {
            return Ok(None);
        }
        let mean = sum / count as f64;
        let metrics = Metrics(vec![("loss".into(), Ok(mean))]);
        self.folder.event("train", self.progress.epoch + 1, self.progress.step, "train", &metrics)?;
        Ok(Some(mean))
    }

    fn checkpoint(&mut self, is_best: bool) -> Result<(), TrainError> {
        self.read_losses()?;
        save(&self.folder.checkpoints(), &self.learner, &self.encoder, &self.progress, is_best)?;
        self.observer.event(&Event::Checkpoint { step: self.progress.step });
        Ok(())
    }

    /// Evaluates the epoch that just ended, decides on stopping, and makes a checkpoint.
    fn validate(&mut self) -> Result<(), TrainError> {
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

    fn note_epoch(&mut self, value: Option<f64>, is_best: bool) {
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

    fn measure(&mut self, side: Side) -> Result<Metrics, TrainError> {
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
    fn test(&mut self) -> Result<Option<Metrics>, TrainError> {
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

    fn summary(&mut self, status: &'static str, test: Option<Metrics>) -> Summary {
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

/// A learner at step 0.
fn fresh(job: &Job, encoder: &Encoder, vocabularies: &[Vocabulary]) -> Result<Learner, TrainError> {
    let (experiment, schema) = (&job.experiment, encoder.schema());
    let rate = encoder.fitted().base_rate;
    let loss = Measured::new(experiment, schema).loss;
    // Losses that compare have no use for a bias, and classes that are all 1 give none.
    let bias = match loss {
        LossKind::Bce if rate > 0.0 && rate < 1.0 => (rate / (1.0 - rate)).ln(),
        LossKind::WeightedLogistic => rate.max(1e-12).ln(),
        LossKind::Mse => rate,
        _ => 0.0,
    };
    let slots = Arc::new(experiment.model.slots(schema));
    let shapes = InputShapes::new(&slots, schema, bias as f32);
    let seed = experiment.run.seed;
    let device = job.opened.device.clone().inner().autodiff();
    let model = experiment.model.init(&shapes, &mut Initial::new(seed), &device);
    let tables = Tables::new(
        Arc::new(schema.clone()),
        &slots,
        vocabularies,
        &experiment.train.sparse,
        stream_seed(seed, "tables", 0),
        table_device(&job.opened, experiment.backend.placement).as_ref(),
    )?;
    let mut learner = Learner::new(model, tables, slots, &job.opened.device, &experiment.train, loss, seed);
    crate::pretrained::apply(&mut learner, experiment, &job.opened)?;
    Ok(learner)
}
