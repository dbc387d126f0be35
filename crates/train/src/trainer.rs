//! A training job from rows to summary.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use burnrec_backend::Opened;
use burnrec_data::split::Dataset;
use burnrec_features::{Encoder, Schema, SideRows};

use crate::checkpoint::{Manifest, Progress};
use crate::error::TrainError;
use crate::experiment::Experiment;
use crate::folder::RunFolder;
use crate::learner::Learner;
use crate::measured::{Measured, Protocol};
use crate::metrics::{MetricName, Metrics};
use crate::observer::{Event, Observer, Stop};
use crate::place::check_placement;
use crate::start::{fit, fresh, limit_labels, reopen};
use crate::summary::Summary;

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

pub(crate) struct Run<'a> {
    pub(crate) job: Job,
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) folder: RunFolder,
    pub(crate) encoder: Arc<Encoder>,
    pub(crate) learner: Learner,
    pub(crate) progress: Progress,
    pub(crate) measured: Measured,
    pub(crate) names: Vec<MetricName>,
    pub(crate) monitor: MetricName,
    pub(crate) rows: SideRows,
    pub(crate) seconds: BTreeMap<&'static str, f64>,
    pub(crate) step_times: Vec<f32>,
    _lock: Option<std::fs::File>,
    pub(crate) valid: Option<Metrics>,
    /// What ranking by training rows comes to, by side.
    pub(crate) baselines: BTreeMap<&'static str, Metrics>,
    pub(crate) pending: Option<burn::tensor::Tensor<1>>,
}

impl<'a> Run<'a> {
    fn start(job: Job, observer: &'a mut dyn Observer) -> Result<Self, TrainError> {
        let start = Instant::now();
        let mut schema = Schema::new(&job.experiment.features)?;
        let measured = Measured::new(&job.experiment, &schema);
        job.experiment.model.check(&schema)?;
        check_placement(&job.opened, job.experiment.backend.placement)?;
        let (names, monitor) =
            (job.experiment.train.metric_names(&measured)?, job.experiment.train.monitor_name(&measured)?);
        limit_labels(&mut schema, &measured, &names);
        if measured.protocol == Protocol::Retrieval {
            crate::retrieve::past(&job.experiment)?;
        }
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
        let resumed = if started { reopen(&job, &encoder)? } else { None };
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
}
