//! Weights in training that no session holds: taken up from a run, and saved in a run folder of their own with more beside them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burnrec_backend::Opened;
use burnrec_features::Encoder;

use super::checkpoint::{load_step, save};
use super::encoder_files::write;
use super::folder::RunFolder;
use super::manifest::{Manifest, sweep};
use super::progress::Progress;
use super::saved::SavedModel;
use crate::checked::Checked;
use crate::error::TrainError;
use crate::step::Stepper;

/// Weights in training.
pub struct Apart {
    /// The experiment.
    pub checked: Checked,
    /// The encoder.
    pub encoder: Arc<Encoder>,
    /// The weights.
    pub stepper: Stepper,
    /// Where checkpoints go.
    run: PathBuf,
    /// The number of the last checkpoint.
    saved: u64,
    /// The checkpoint that these weights are of.
    folder: PathBuf,
}

impl Apart {
    /// The weights that a run published, to go on in another folder; nothing is written yet.
    ///
    /// # Errors
    /// Folders that hold no run, damaged files.
    pub fn from_run(run: &Path, to: &Path, opened: &Opened) -> Result<Self, TrainError> {
        Self::open(run, to, opened, true)
    }

    /// The latest weights of a folder that [`Apart::save`] wrote; none where it did not yet.
    ///
    /// # Errors
    /// Damaged files.
    pub fn resume(run: &Path, opened: &Opened) -> Result<Option<Self>, TrainError> {
        let begun =
            RunFolder::is_started(run) && sweep(&run.join("checkpoints"))?.is_some_and(|m| !m.latest.is_empty());
        begun.then(|| Self::open(run, run, opened, false)).transpose()
    }

    fn open(run: &Path, to: &Path, opened: &Opened, best: bool) -> Result<Self, TrainError> {
        let checked = RunFolder::config(run)?.check()?;
        let checkpoints = run.join("checkpoints");
        let manifest = Manifest::read(&checkpoints)?.ok_or_else(|| TrainError::NotARun {
            path: run.to_path_buf(),
            problem: "it has no checkpoint yet; train it first".into(),
        })?;
        let name = manifest.best.clone().filter(|_| best).unwrap_or_else(|| manifest.latest.clone());
        let loaded = manifest.open(&checkpoints, &name, checked.schema())?;
        let saved = SavedModel::open_checkpoint(&manifest, &checkpoints, &name, checked.clone(), opened)?;
        let mut stepper = Stepper::new(saved.weights, &checked);
        load_step(&loaded.folder, &mut stepper)?;
        let step = if best { 0 } else { loaded.progress.step };
        Ok(Self { checked, encoder: saved.encoder, stepper, run: to.to_path_buf(), saved: step, folder: loaded.folder })
    }

    /// A file that was saved beside the weights.
    ///
    /// # Errors
    /// A checkpoint without it.
    pub fn beside(&self, name: &str) -> Result<Vec<u8>, TrainError> {
        let path = self.folder.join(name);
        std::fs::read(&path).map_err(TrainError::io(&path))
    }

    /// Saves the weights as the next checkpoint, in one with a file beside them; the one before goes. What the run folder makes
    /// of it is a run like any other, that predicts and exports.
    ///
    /// # Errors
    /// Failures of the disk; the checkpoint before stands then.
    pub fn save(&mut self, name: &'static str, bytes: Vec<u8>) -> Result<(), TrainError> {
        let checkpoints = self.run.join("checkpoints");
        if !RunFolder::is_started(&self.run) {
            drop(RunFolder::create(&self.run, self.checked.experiment())?);
        }
        if !checkpoints.exists() {
            std::fs::create_dir_all(&checkpoints).map_err(TrainError::io(&checkpoints))?;
            write(&checkpoints, &self.encoder)?;
        }
        Manifest::begin(&checkpoints)?;
        // A checkpoint is of a step, and of no fewer than its weights took.
        self.saved = (self.saved + 1).max(self.stepper.clock());
        let progress = Progress { step: self.saved, clock: self.stepper.clock(), ..Progress::default() };
        save(&checkpoints, &self.stepper, &self.encoder, &progress, true, None, Some(&(name, bytes)))
    }
}
