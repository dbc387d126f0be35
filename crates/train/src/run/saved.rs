//! A model as a run left it, ready to predict.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burnrec_backend::Opened;
use burnrec_embedding::Tables;
use burnrec_features::{Encoder, Fitted};

use super::checkpoint::{load_dense, tables_folder};
use super::encoder_files::{read_catalogue, read_trees, trees_file};
use super::files::broken;
use super::folder::RunFolder;
use super::manifest::{ENCODER, Manifest};
use crate::checked::Checked;
use crate::error::TrainError;
use crate::weights::{Weights, first_model, table_device};

/// Checkpoints that are tried while a run replaces them.
const TRIES: usize = 20;

/// A trained model with its encoder and configuration.
pub struct SavedModel {
    /// The experiment that it was trained by.
    pub checked: Checked,
    /// The encoder, fitted on the training rows.
    pub encoder: Arc<Encoder>,
    /// Model and tables.
    pub weights: Weights,
    /// The run's folder.
    pub folder: PathBuf,
}

/// The folder of the checkpoint that a run predicts by, all of its files checked, and its step.
///
/// # Errors
/// Folders that hold no run, missing or altered files.
pub fn published(run: &Path) -> Result<(PathBuf, u64), TrainError> {
    let checked = RunFolder::config(run)?.check()?;
    let checkpoints = run.join("checkpoints");
    let manifest = Manifest::read(&checkpoints)?.ok_or_else(|| TrainError::NotARun {
        path: run.to_path_buf(),
        problem: "it has no checkpoint yet; train it to the end, or with --resume".into(),
    })?;
    let name = manifest.best.clone().unwrap_or_else(|| manifest.latest.clone());
    let loaded = manifest.open(&checkpoints, &name, checked.schema())?;
    Ok((loaded.folder, loaded.progress.step))
}

/// The file of the trees of a checkpoint, where it has some.
///
/// # Errors
/// A checkpoint whose encoder cannot be read.
pub fn trees_of(run: &Path, checkpoint: &Path) -> Result<Option<PathBuf>, TrainError> {
    let path = checkpoint.join(ENCODER);
    let text = std::fs::read_to_string(&path).map_err(TrainError::io(&path))?;
    let fitted: Fitted = toml::from_str(&text).map_err(|e| broken(&path, e.to_string()))?;
    Ok(fitted.trees.map(|fingerprint| trees_file(&run.join("checkpoints"), &fingerprint)))
}

/// Makes the model that a run published before its best one again; the name of its checkpoint.
///
/// # Errors
/// Folders that hold no run, runs that published none before.
pub fn roll_back(run: &Path) -> Result<String, TrainError> {
    RunFolder::config(run)?;
    let _held = RunFolder::lock(run)?;
    let checkpoints = run.join("checkpoints");
    let manifest = Manifest::read(&checkpoints)?
        .ok_or_else(|| TrainError::NotARun { path: run.to_path_buf(), problem: "it has no checkpoint yet".into() })?;
    manifest.roll_back(&checkpoints)
}

impl SavedModel {
    /// Opens the best checkpoint of a run folder, or the latest where none was evaluated.
    ///
    /// # Errors
    /// Folders that hold no run, runs of another version, missing or altered files.
    pub fn open(run: &Path, opened: &Opened) -> Result<Self, TrainError> {
        let checked = RunFolder::config(run)?.check()?;
        let checkpoints = run.join("checkpoints");
        let mut tries = 0;
        loop {
            let manifest = Manifest::read(&checkpoints)?.ok_or_else(|| TrainError::NotARun {
                path: run.to_path_buf(),
                problem: "it has no checkpoint yet; train it to the end, or with --resume".into(),
            })?;
            let name = manifest.best.clone().unwrap_or_else(|| manifest.latest.clone());
            let outcome = Self::open_checkpoint(&manifest, &checkpoints, &name, checked.clone(), opened);
            tries += 1;
            // A run that is still training may have removed this checkpoint for a newer one meanwhile.
            let replaced = || Manifest::read(&checkpoints).is_ok_and(|m| m.is_some_and(|m| m.files != manifest.files));
            if outcome.is_ok() || tries == TRIES || !replaced() {
                return outcome;
            }
        }
    }

    pub(crate) fn open_checkpoint(
        manifest: &Manifest,
        checkpoints: &Path,
        name: &str,
        checked: Checked,
        opened: &Opened,
    ) -> Result<Self, TrainError> {
        let loaded = manifest.open(checkpoints, name, checked.schema())?;
        let mut model = first_model(&checked, None, opened);
        load_dense(&loaded.folder, &mut model)?;
        let experiment = checked.experiment();
        let mut tables = Tables::load(
            &tables_folder(&loaded.folder),
            checked.schema().clone(),
            checked.slots(),
            &experiment.train.sparse,
            Weights::seed(&checked),
            table_device(opened, experiment.backend.placement).as_ref(),
        )?;
        if tables.step() != loaded.progress.clock {
            let problem = format!("are of step {}, and the checkpoint of {}", tables.step(), loaded.progress.clock);
            return Err(broken(&tables_folder(&loaded.folder), problem));
        }
        tables.set_admission(experiment.train.admit.as_ref());
        let weights = Weights::new(model, tables, checked.slots().clone(), &opened.device);
        let catalogue = read_catalogue(checkpoints, checked.schema(), &loaded.fitted)?;
        let trees = read_trees(checkpoints, checked.schema(), &loaded.fitted)?;
        let encoder = Arc::new(Encoder::restore((**checked.schema()).clone(), loaded.fitted, catalogue, trees));
        let folder = checkpoints.parent().unwrap_or(Path::new("")).to_path_buf();
        Ok(Self { checked, encoder, weights, folder })
    }
}
