//! A training job: a plan of phases from rows to summary.

mod begin;
mod epoch;
mod gate;
mod journal;
mod judge;
mod losses;
mod observer;
mod outcome;
mod phase;
mod refit;
mod replay;
mod teach;
mod told;
mod validate;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use burnrec_backend::Opened;
use burnrec_data::split::Dataset;
use burnrec_features::{Encoder, SideRows};
use burnrec_record::Summary;

use crate::checked::Checked;
use crate::error::TrainError;
use crate::measure::Scoring;
use crate::run::{Candidate, Manifest, Progress, RunFolder, write_encoder_files};
use crate::step::Stepper;
use crate::stop::Stop;
use crate::weights::check_placement;
pub use begin::{check_rows, check_trainable};
use journal::Journal;
use losses::Losses;
pub use observer::{Notice, Observer};
use outcome::Found;
pub use phase::{Ending, Phase, StartFrom};
use replay::Remembered;
use teach::Teacher;

/// Everything a job needs; nothing is written before its data proved readable.
pub struct Job {
    /// The experiment.
    pub checked: Checked,
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

/// Trains, evaluates and reports: the plan of one phase, over the sides of the split.
///
/// # Errors
/// Bad data and settings before anything is written; afterwards failures of the disk, and a loss that diverges.
pub fn train(job: Job, observer: &mut dyn Observer) -> Result<Summary, TrainError> {
    if job.checked.experiment().train.refit {
        return refit::refit(job, observer);
    }
    let epochs = job.checked.experiment().train.epochs;
    epochs_of(job, epochs, observer)
}

/// A plan of so many epochs at most.
fn epochs_of(job: Job, epochs: usize, observer: &mut dyn Observer) -> Result<Summary, TrainError> {
    let phase = Phase::whole(epochs);
    let mut session = Session::start(job, observer)?;
    let ending = session.run(&phase)?;
    session.finish(ending)
}

/// A job that has begun: an encoder, weights in training, a folder that takes what comes of them.
pub struct Session<'a> {
    job: Job,
    observer: &'a mut dyn Observer,
    folder: RunFolder,
    encoder: Arc<Encoder>,
    /// Rows of the split's sides.
    rows: SideRows,
    stepper: Stepper,
    progress: Progress,
    losses: Losses,
    found: Found,
    /// What was predicted before it was learned from; none before the first such rows.
    journal: Option<Journal>,
    /// Predictions that are not written there yet.
    scoring: Option<Scoring>,
    /// A sample of the rows of before; none where no phase wants one.
    remembered: Option<Remembered>,
    /// What is published with the next checkpoint.
    candidate: Option<Candidate>,
    /// Who softens the labels of the phase; nobody where it does not ask.
    teacher: Option<Teacher>,
    /// Phases that were asked for.
    asked: usize,
    _lock: File,
}

impl<'a> Session<'a> {
    /// Fits the encoder, and takes up the run that stands in the folder, or makes one.
    ///
    /// # Errors
    /// Bad data, folders that cannot be gone on with.
    pub fn start(job: Job, observer: &'a mut dyn Observer) -> Result<Self, TrainError> {
        let start = Instant::now();
        check_placement(&job.opened, job.checked.experiment().backend.placement)?;
        let started = begin::check_folder(&job, observer)?;
        let held = if started { Some(RunFolder::lock(&job.out)?) } else { None };
        let later = if started { begin::reopen_later(&job)? } else { None };
        let (resumed, rows) = match later {
            Some(later) => (Ok(later), SideRows::new()),
            None => {
                observer.notice(&Notice::Stage("fitting the encoder"));
                let (encoder, vocabularies, rows) = begin::fit(&job, &job.dataset)?;
                observer.notice(&Notice::Note(&told::rows(&rows, encoder.fitted(), job.checked.tasks())));
                told::of_one_row(job.checked.schema(), &vocabularies)
                    .iter()
                    .for_each(|doubt| tracing::warn!("{doubt}"));
                if let Some(ids) = told::ids(job.checked.schema(), &vocabularies) {
                    observer.notice(&Notice::Note(&ids));
                }
                let reopened = if started { begin::reopen(&job, Some(&encoder))? } else { None };
                (reopened.ok_or((encoder, vocabularies)), rows)
            }
        };
        let (stepper, progress, encoder) = match resumed {
            Ok(resumed) => {
                observer.notice(&Notice::Note(&format!("resuming after step {}", resumed.1.step)));
                resumed
            }
            Err((encoder, vocabularies)) => {
                let weights = begin::first(&job, encoder.fitted(), &vocabularies)?;
                (Stepper::new(weights, &job.checked), Progress::default(), Arc::new(encoder))
            }
        };
        let folder = match started {
            true => RunFolder::resume(&job.out, progress.step, progress.epoch)?,
            false => RunFolder::create(&job.out, job.checked.experiment())?,
        };
        let lock = held.map_or_else(|| RunFolder::lock(&job.out), Ok)?;
        std::fs::create_dir_all(folder.checkpoints()).map_err(TrainError::io(&folder.checkpoints()))?;
        write_encoder_files(&folder.checkpoints(), &encoder)?;
        Manifest::begin(&folder.checkpoints())?;
        let losses = Losses::default();
        let found = Found::after_fit(start.elapsed());
        let journal = (progress.judged > 0)
            .then(|| Journal::open(folder.path(), progress.judged, &progress.judged_sum))
            .transpose()?;
        Ok(Self {
            job,
            observer,
            folder,
            encoder,
            rows,
            stepper,
            progress,
            losses,
            found,
            journal,
            scoring: None,
            remembered: None,
            candidate: None,
            teacher: None,
            asked: 0,
            _lock: lock,
        })
    }

    /// The weights as they stand.
    pub fn stepper(&self) -> &Stepper {
        &self.stepper
    }

    /// Tests the best epoch of the last phase, and writes the summary.
    ///
    /// # Errors
    /// Failures of the disk.
    pub fn finish(mut self, ending: Ending) -> Result<Summary, TrainError> {
        let test = if ending == Ending::Interrupted { None } else { self.test()? };
        if ending != Ending::Interrupted {
            // The run stands without its report.
            if let Err(error) = self.detail(test.is_some()) {
                tracing::warn!("nothing for the report: {error}");
            }
        }
        let summary = self.summary(ending, test);
        self.folder.finish(&summary)?;
        Ok(summary)
    }
}
