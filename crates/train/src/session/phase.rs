//! A phase: epochs over one window, judged by another, from weights that stood before.

use std::sync::Arc;
use std::time::Instant;

use burnrec_data::Side;
use burnrec_data::split::{Dataset, Window};
use burnrec_features::FeatureError;

use super::{Notice, Session, begin};
use crate::calibrate::Calibration;
use crate::error::{TrainError, bad};
use crate::experiment::GateConfig;
use crate::metrics::Protocol;
use crate::run::{Manifest, SavedModel, load_step, write_encoder_files};
use crate::step::{Stepper, Trainable};

/// The weights that a phase starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartFrom {
    /// Those of step 0, made anew.
    Fresh,
    /// Those that stand: of step 0 in the first phase, else of the last step before, the optimiser's state kept.
    #[default]
    Last,
    /// Those of the best epoch of the phase before, the optimiser's state of then kept.
    Best,
}

/// A part of a training job.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// The rows that are learned from.
    pub train: Window,
    /// The rows that decide which epoch is best; none where the last epoch is.
    pub eval: Option<Window>,
    /// Where the weights start.
    pub from: StartFrom,
    /// What learns, at which factor of the learning rates.
    pub trainable: Trainable,
    /// Passes over the rows, at most; none where the rows are only predicted.
    pub epochs: usize,
    /// Rows that are predicted before the phase learns anything.
    pub judge: Option<Window>,
    /// So many rows are learned from at a time, in their order; each time they are predicted first, unless `judge` predicted all.
    pub online: Option<usize>,
    /// Share of the rows learned from that are of before its stretch of time, 0 to 1, out of a sample of so many.
    pub replay: Option<(f64, usize)>,
    /// What the sums of squared gradients of Adagrad's tables are multiplied by as the phase begins; 1 leaves them.
    pub decay: f64,
    /// How much of the labels is what the model before the phase predicts, 0 to 1.
    pub distil: f64,
    /// What the last phase made is published only if it predicts the rows of `judge` well enough.
    pub gate: Option<GateConfig>,
    /// Whether the scales of numbers are fitted anew on its rows before it learns from them.
    pub refit: bool,
    /// Nothing learns: what is predicted of `judge` by the weights alone, a curve is fitted to, which the next phase predicts by.
    pub calibrate: Option<Calibration>,
    /// Where the weights start afresh: rows that the weights of before and the new ones are compared on; the better stay.
    pub contest: Option<Window>,
}

/// How a phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// After all its epochs.
    Completed,
    /// After epochs without a better value.
    StoppedEarly,
    /// By a request to stop.
    Interrupted,
}

impl Phase {
    /// Everything learns from the training side; the validation side decides.
    pub fn whole(epochs: usize) -> Self {
        Self {
            train: Window::Side(Side::Train),
            eval: Some(Window::Side(Side::Valid)),
            from: StartFrom::Last,
            trainable: Trainable::default(),
            epochs,
            judge: None,
            online: None,
            replay: None,
            gate: None,
            distil: 0.0,
            decay: 1.0,
            refit: false,
            calibrate: None,
            contest: None,
        }
    }
}

/// A phase with its rows.
pub(super) struct Current<'p> {
    pub(super) phase: &'p Phase,
    pub(super) dataset: Dataset,
    /// Whether there are rows that decide.
    pub(super) judged: bool,
    /// Whether its rows came behind those that the encoder was fitted on.
    pub(super) later: bool,
}

impl Session<'_> {
    /// Phases that are complete.
    pub fn complete(&self) -> usize {
        self.progress.phase
    }

    /// Whether a phase was begun and is not complete, so that some of its rows were learned from.
    pub fn is_within(&self, phase: usize) -> bool {
        self.progress.phase == phase
            && (self.progress.step_in_epoch > 0 || self.progress.epoch > self.progress.first_epoch)
    }

    /// Runs the next phase of the plan to its end. Phases that were complete when the run was taken up again are passed
    /// over, so that a plan is given anew as it was.
    ///
    /// # Errors
    /// Windows that this experiment cannot be trained over, failures of the disk, a loss that diverges.
    pub fn run(&mut self, phase: &Phase) -> Result<Ending, TrainError> {
        self.asked += 1;
        if self.progress.phase >= self.asked {
            return Ok(Ending::Completed);
        }
        if self.progress.phase + 1 < self.asked {
            self.progress.end_phase();
        }
        let Some(current) = self.enter(phase)? else { return Ok(Ending::Completed) };
        let start = Instant::now();
        let done = |session: &Self| session.progress.epoch - session.progress.first_epoch;
        let mut interrupted = false;
        while !interrupted && done(self) < phase.epochs && !self.progress.stopped_early {
            interrupted = !self.epoch(&current)?;
        }
        if let (Some(window), false) = (&phase.contest, interrupted) {
            self.contest(window)?;
        }
        self.found.add_training(start.elapsed());
        Ok(match (interrupted, self.progress.stopped_early) {
            (true, _) => Ending::Interrupted,
            (_, true) => Ending::StoppedEarly,
            _ => Ending::Completed,
        })
    }

    /// None where a training from scratch has nothing to tell apart: what stands goes on.
    fn enter<'p>(&mut self, phase: &'p Phase) -> Result<Option<Current<'p>>, TrainError> {
        let checked = &self.job.checked;
        let spans = phase.train.is_span() || phase.eval.as_ref().is_some_and(Window::is_span);
        if spans && (checked.learns_pairs() || checked.protocol() == Protocol::Retrieval) {
            return Err(bad(
                "window",
                "this model learns from, or is judged by, what users liked on the sides of the split; a stretch of time has no catalogue of its own",
            ));
        }
        let dataset = self.job.dataset.view(&phase.train, phase.eval.as_ref())?;
        let begins = self.progress.epoch == self.progress.first_epoch && self.progress.step_in_epoch == 0;
        if let (Some(window), true) = (&phase.judge, begins) {
            match (&phase.gate, phase.calibrate) {
                (Some(gate), _) => self.gate(gate, window)?,
                (None, Some(how)) => self.calibrate(how, window)?,
                (None, None) => self.judge(window)?,
            }
        }
        if phase.epochs > 0 {
            // A curve is of the weights that it was fitted behind.
            self.drop_curves();
        }
        match phase.from {
            StartFrom::Fresh if begins && self.progress.step > 0 => {
                if let Some(why) = self.start_fresh(&dataset)? {
                    let text = format!("no training from scratch: {why}; what stands goes on");
                    tracing::warn!("{text}");
                    self.observer.notice(&Notice::Note(&text));
                    return Ok(None);
                }
            }
            StartFrom::Best if begins && self.progress.step > 0 => self.start_best()?,
            _ => {}
        }
        if begins && phase.refit {
            self.refit_scales(&dataset)?;
        }
        if begins && phase.decay < 1.0 {
            self.stepper.weights.tables.decay(phase.decay as f32);
        }
        self.find_teacher(phase)?;
        self.remember(phase)?;
        self.stepper.set_trainable(phase.trainable.clone())?;
        let judged = match &phase.eval {
            Some(Window::Side(side)) => self.rows.get(side.name()).copied().unwrap_or(0) > 0,
            other => other.is_some(),
        };
        // A schedule fits on the first stretch, and on those of trainings from scratch.
        let scheduled = self.job.checked.experiment().schedule.is_some();
        let later = scheduled && self.progress.phase > 0 && phase.from != StartFrom::Fresh;
        Ok(Some(Current { phase, dataset, judged, later }))
    }

    /// Fits the scales of numbers anew. Where the rows cannot be fitted on, the scales stay as they are.
    fn refit_scales(&mut self, dataset: &Dataset) -> Result<(), TrainError> {
        match begin::fit(&self.job, dataset) {
            Err(TrainError::Feature(FeatureError::OneClass { .. })) => {}
            other => self.encoder = Arc::new(self.encoder.with_scales_of(&other?.0)),
        }
        Ok(())
    }

    /// Weights at step 0. In a schedule what was fitted is fitted anew on the rows to come; on the sides of a split it stays.
    /// Why not, where a window of a schedule has one class only.
    fn start_fresh(&mut self, dataset: &Dataset) -> Result<Option<String>, TrainError> {
        let scheduled = self.job.checked.experiment().schedule.is_some();
        let fitted = begin::fit(&self.job, if scheduled { dataset } else { &self.job.dataset });
        let (encoder, vocabularies, _) = match fitted {
            Err(TrainError::Feature(FeatureError::OneClass { column, rows, class, .. })) if scheduled => {
                return Ok(Some(format!("all {rows} rows have {class} in `{column}`")));
            }
            Err(TrainError::Feature(error @ FeatureError::OneClassOfTrees { .. })) if scheduled => {
                return Ok(Some(error.to_string()));
            }
            other => other?,
        };
        let weights = begin::first(&self.job, encoder.fitted(), &vocabularies)?;
        self.stepper = Stepper::new(weights, &self.job.checked);
        if scheduled {
            write_encoder_files(&self.folder.checkpoints(), &encoder)?;
            self.encoder = Arc::new(encoder);
        }
        Ok(None)
    }

    /// The weights of the best checkpoint.
    pub(super) fn start_best(&mut self) -> Result<(), TrainError> {
        match Manifest::read(&self.folder.checkpoints())?.and_then(|manifest| Some((manifest.best.clone()?, manifest)))
        {
            Some((best, manifest)) => self.start_at(&manifest, &best),
            None => Ok(()),
        }
    }

    /// The weights of the latest checkpoint.
    pub(super) fn start_latest(&mut self) -> Result<(), TrainError> {
        match Manifest::read(&self.folder.checkpoints())? {
            Some(manifest) => self.start_at(&manifest, &manifest.latest),
            None => Ok(()),
        }
    }

    fn start_at(&mut self, manifest: &Manifest, name: &str) -> Result<(), TrainError> {
        let (checkpoints, checked) = (self.folder.checkpoints(), self.job.checked.clone());
        let loaded = manifest.open(&checkpoints, name, checked.schema())?;
        let saved = SavedModel::open_checkpoint(manifest, &checkpoints, name, checked, &self.job.opened)?;
        self.stepper = Stepper::new(saved.weights, &self.job.checked);
        self.encoder = saved.encoder;
        load_step(&loaded.folder, &mut self.stepper)?;
        Ok(())
    }
}
