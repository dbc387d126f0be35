//! Checkpoints: whole or not there, checked when read.
//!
//! ```text
//! checkpoints/step-000000012345-epoch-2/   dense.safetensors  optimizer.bpk  state.toml  encoder.toml  tables/*.arrow
//! checkpoints/manifest.json        written last: the latest and the best step, size and sha256 of every file
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::Bytes;
use burn_store::{ModuleSnapshot, SafetensorsStore};
use burnrec_features::{Encoder, Fitted};
use burnrec_models::AnyModel;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::files::{TEMPORARY, discard, fingerprint, sync_folder, write_durable, write_whole};
use crate::folder::FORMAT;
use crate::learner::Learner;

const MANIFEST: &str = "manifest.json";
const DENSE: &str = "dense.safetensors";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.toml";
const ENCODER: &str = "encoder.toml";
const TABLES: &str = "tables";
const STEP: &str = "step-";

/// Where training stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Steps taken.
    pub step: u64,
    /// Epochs that are complete.
    pub epoch: usize,
    /// Steps taken in the epoch after them.
    pub step_in_epoch: u64,
    /// Best value of the monitored metric.
    pub best: Option<f64>,
    /// Epoch of the best value, from 1.
    pub best_epoch: usize,
    /// Epochs without a better value.
    pub waited: usize,
    /// Epochs without a better value since the last fall of a plateau schedule.
    pub waited_for_plateau: usize,
    /// Falls of a plateau schedule.
    pub plateaus: u32,
    /// Whether early stopping ended the training.
    pub stopped_early: bool,
    /// Losses since the last one that was logged, and their number.
    pub loss: (f64, u64),
    /// Seconds of training steps so far.
    pub seconds: f64,
    /// Rows trained on so far, each as often as it was.
    pub rows: u64,
}

/// What a run has on disk.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Format of the run.
    pub format: u32,
    /// Version of the burnrec that wrote it.
    pub version: String,
    /// The latest step.
    pub latest: String,
    /// The best epoch's step.
    pub best: Option<String>,
    /// Files of each checkpoint: path → (bytes, sha256).
    pub files: BTreeMap<String, BTreeMap<String, (u64, String)>>,
}

/// What is read back besides model and tables.
pub(crate) struct Loaded {
    pub progress: Progress,
    pub fitted: Fitted,
    pub folder: PathBuf,
}

/// A checkpoint's folder. The last step of an epoch may be saved twice, before and after its evaluation; a
/// folder that the manifest names is never written again.
fn name_of(progress: &Progress) -> String {
    format!("{STEP}{:012}-epoch-{}", progress.step, progress.epoch)
}

/// Whether a name is one that [`name_of`] gives.
fn is_step(name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let parts = name.strip_prefix(STEP).and_then(|rest| rest.split_once("-epoch-"));
    parts.is_some_and(|(step, epoch)| digits(step) && digits(epoch))
}

/// Whether a name is that of a file in a checkpoint: plain, or plain below `tables/`.
fn is_file_of_step(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let file = name.strip_prefix("tables/").unwrap_or(name);
    !file.is_empty() && !file.starts_with('.') && file.bytes().all(plain)
}

fn broken(path: &Path, problem: impl Into<String>) -> TrainError {
    TrainError::Checkpoint { path: path.to_path_buf(), problem: problem.into() }
}

impl Manifest {
    /// Writes a manifest of no checkpoints: from then on one that is missing was lost.
    pub(crate) fn begin(checkpoints: &Path) -> Result<(), TrainError> {
        let path = checkpoints.join(MANIFEST);
        if path.exists() {
            return Ok(());
        }
        let empty = Self { format: FORMAT, version: env!("CARGO_PKG_VERSION").to_string(), ..Self::default() };
        write_whole(&path, to_json(&empty).as_bytes())
    }

    /// The manifest of a run's checkpoints; none before the first.
    pub(crate) fn read(checkpoints: &Path) -> Result<Option<Self>, TrainError> {
        let path = checkpoints.join(MANIFEST);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(TrainError::io(&path)(e)),
        };
        let manifest: Self =
            serde_json::from_str(&text).map_err(|e| broken(&path, format!("is not a manifest ({e})")))?;
        if manifest.format != FORMAT {
            return Err(TrainError::Version { path, found: manifest.format, expected: FORMAT });
        }
        manifest.check_names(&path)?;
        Ok(if manifest.latest.is_empty() { None } else { Some(manifest) })
    }

    /// Refuses names that burnrec does not write: they become paths that are read, and folders that are removed.
    fn check_names(&self, path: &Path) -> Result<(), TrainError> {
        let odd = |what: &str, name: &str| {
            Err(broken(path, format!("names the {what} `{}`, which is none of burnrec's names", name.escape_debug())))
        };
        for (name, files) in &self.files {
            if !is_step(name) {
                return odd("checkpoint", name);
            }
            if let Some(file) = files.keys().find(|file| !is_file_of_step(file)) {
                return odd("file", file);
            }
        }
        let named = (!self.latest.is_empty()).then_some(&self.latest).into_iter().chain(&self.best);
        match named.into_iter().find(|name| !self.files.contains_key(*name)) {
            Some(name) => odd("checkpoint", name),
            None => Ok(()),
        }
    }

    /// Checks every file of a checkpoint against the manifest, and reads its small ones.
    pub(crate) fn open(&self, checkpoints: &Path, name: &str) -> Result<Loaded, TrainError> {
        let folder = checkpoints.join(name);
        let files = self.files.get(name).ok_or_else(|| broken(&folder, "is not in the manifest"))?;
        for (file, (bytes, hash)) in files {
            let path = folder.join(file);
            if !path.is_file() {
                return Err(broken(&path, "is missing"));
            }
            let found = fingerprint(&path)?;
            if found != (*bytes, hash.clone()) {
                return Err(broken(
                    &path,
                    format!(
                        "was altered ({} bytes, sha256 {}; it was written with {bytes} bytes, sha256 {hash})",
                        found.0, found.1
                    ),
                ));
            }
        }
        let text = |file: &str| fs::read_to_string(folder.join(file)).map_err(TrainError::io(&folder.join(file)));
        let progress = toml::from_str(&text(STATE)?).map_err(|e| broken(&folder.join(STATE), e.to_string()))?;
        let fitted = toml::from_str(&text(ENCODER)?).map_err(|e| broken(&folder.join(ENCODER), e.to_string()))?;
        Ok(Loaded { progress, fitted, folder })
    }
}

/// Where a checkpoint's tables are.
pub(crate) fn tables_folder(checkpoint: &Path) -> PathBuf {
    checkpoint.join(TABLES)
}

/// Writes a checkpoint and then the manifest; older checkpoints that are neither latest nor best go.
///
/// # Errors
/// [`TrainError::Unsaved`]; what was half-written is gone then, and earlier checkpoints stand.
pub(crate) fn save(
    checkpoints: &Path,
    learner: &Learner,
    encoder: &Encoder,
    progress: &Progress,
    is_best: bool,
) -> Result<(), TrainError> {
    write(checkpoints, learner, encoder, progress, is_best).map_err(|error| {
        let temporary = checkpoints.join(format!("{TEMPORARY}{}", name_of(progress)));
        if temporary.exists() {
            discard(&temporary);
        }
        match error {
            TrainError::HalfStep => error,
            error => TrainError::Unsaved { step: progress.step, cause: error.to_string() },
        }
    })
}

fn write(
    checkpoints: &Path,
    learner: &Learner,
    encoder: &Encoder,
    progress: &Progress,
    is_best: bool,
) -> Result<(), TrainError> {
    let name = name_of(progress);
    let folder = checkpoints.join(&name);
    let mut manifest = Manifest::read(checkpoints)?.unwrap_or_default();
    if !manifest.files.contains_key(&name) {
        let temporary = checkpoints.join(format!("{TEMPORARY}{name}"));
        write_files(&temporary, learner, encoder, progress)?;
        if folder.exists() {
            discard(&folder);
        }
        fs::rename(&temporary, &folder).map_err(TrainError::io(&folder))?;
        sync_folder(checkpoints)?;
        manifest.files.insert(name.clone(), fingerprints(&folder)?);
    }
    manifest.format = FORMAT;
    manifest.version = env!("CARGO_PKG_VERSION").to_string();
    manifest.latest = name.clone();
    if is_best {
        manifest.best = Some(name);
    }
    let stale: Vec<String> = manifest
        .files
        .keys()
        .filter(|k| **k != manifest.latest && Some(*k) != manifest.best.as_ref())
        .cloned()
        .collect();
    stale.iter().for_each(|name| drop(manifest.files.remove(name)));
    write_whole(&checkpoints.join(MANIFEST), to_json(&manifest).as_bytes())?;
    stale.iter().for_each(|name| discard(&checkpoints.join(name)));
    Ok(())
}

fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// TOML, whose numbers come back to the bit; serde_json's may be off by the last one.
fn to_toml<T: Serialize>(value: &T) -> Result<String, TrainError> {
    toml::to_string(value).map_err(|e| TrainError::Setting { key: "checkpoint".into(), problem: e.to_string() })
}

fn write_files(folder: &Path, learner: &Learner, encoder: &Encoder, progress: &Progress) -> Result<(), TrainError> {
    if folder.exists() {
        discard(folder);
    }
    let tables = tables_folder(folder);
    fs::create_dir_all(&tables).map_err(TrainError::io(&tables))?;
    let dense = folder.join(DENSE);
    let mut store = SafetensorsStore::from_bytes(None).clear_metadata();
    learner.model()?.save_into(&mut store).map_err(|e| broken(&dense, e.to_string()))?;
    let bytes = store.get_bytes().map_err(|e| broken(&dense, e.to_string()))?;
    write_durable(&dense, &bytes)?;
    let path = folder.join(OPTIMIZER);
    let bytes = learner.optimizer.into_bytes().map_err(|e| broken(&path, e.to_string()))?;
    write_durable(&path, &bytes)?;
    write_durable(&folder.join(STATE), to_toml(progress)?.as_bytes())?;
    write_durable(&folder.join(ENCODER), to_toml(encoder.fitted())?.as_bytes())?;
    learner.tables.save(&tables, &learner.slots)?;
    sync_folder(&tables)?;
    sync_folder(folder)
}

fn fingerprints(folder: &Path) -> Result<BTreeMap<String, (u64, String)>, TrainError> {
    let mut files = BTreeMap::new();
    for (prefix, below) in [("", folder.to_path_buf()), ("tables/", tables_folder(folder))] {
        for entry in fs::read_dir(&below).map_err(TrainError::io(&below))?.flatten() {
            if entry.path().is_file() {
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                files.insert(name, fingerprint(&entry.path())?);
            }
        }
    }
    Ok(files)
}

/// Reads dense weights into a model of the same settings.
pub(crate) fn load_dense(folder: &Path, model: &mut AnyModel) -> Result<(), TrainError> {
    let path = folder.join(DENSE);
    if model.num_params() == 0 {
        // The format's reader refuses a file without tensors.
        return Ok(());
    }
    let mut store = SafetensorsStore::from_file(&path).validate(true);
    let applied = model.load_from(&mut store).map_err(|e| broken(&path, e.to_string()))?;
    match applied.missing.is_empty() {
        true => Ok(()),
        false => Err(broken(&path, "lacks weights of the model")),
    }
}

/// Reads the dense optimiser's state.
pub(crate) fn load_optimizer(folder: &Path, optimizer: ModuleOptimizer) -> Result<ModuleOptimizer, TrainError> {
    let path = folder.join(OPTIMIZER);
    let bytes = fs::read(&path).map_err(TrainError::io(&path))?;
    optimizer.from_bytes(Bytes::from_bytes_vec(bytes)).map_err(|e| broken(&path, e.to_string()))
}

/// Removes what an interrupted write left behind; returns the manifest.
///
/// # Errors
/// Checkpoints without a manifest: one that was written has it, so that it was lost.
pub(crate) fn sweep(checkpoints: &Path) -> Result<Option<Manifest>, TrainError> {
    let manifest = Manifest::read(checkpoints)?;
    let named = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let entries = || fs::read_dir(checkpoints).into_iter().flatten().flatten();
    let steps = entries().filter(|e| e.path().is_dir() && named(e).starts_with(STEP)).count();
    if !checkpoints.join(MANIFEST).exists() && steps > 0 {
        return Err(broken(&checkpoints.join(MANIFEST), format!("is missing, beside {steps} checkpoints")));
    }
    for entry in entries() {
        let name = named(&entry);
        let known = manifest.as_ref().is_some_and(|m| m.files.contains_key(&name));
        if name.starts_with(TEMPORARY) && entry.path().is_file() {
            drop(fs::remove_file(entry.path()));
        } else if name.starts_with(TEMPORARY) || (name.starts_with(STEP) && !known) {
            discard(&entry.path());
        }
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_written_here_are_taken_from_a_manifest() {
        let own = Progress { step: 120, epoch: 3, ..Progress::default() };
        assert!(is_step(&name_of(&own)));
        for name in
            ["../../x", "/etc", "step-1-epoch-", "step-1-epoch-2/..", "step--epoch-1", "", ".", "step-1-epoch-1 "]
        {
            assert!(!is_step(name), "{name}");
        }
        for name in [DENSE, OPTIMIZER, STATE, ENCODER, "tables/tables.json", "tables/factors-0.arrow"] {
            assert!(is_file_of_step(name), "{name}");
        }
        for name in ["../x", "tables/../x", "tables/", "/etc/passwd", "a/b", "..", "tables/tables/x", ".hidden", "a\\b"]
        {
            assert!(!is_file_of_step(name), "{name}");
        }
    }
}
