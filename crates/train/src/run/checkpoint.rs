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
use burnrec_features::Encoder;
use burnrec_models::AnyModel;
use serde::Serialize;

use super::files::{TEMPORARY, broken, discard, fingerprint, sync_folder, write_durable};
use super::manifest::{Candidate, ENCODER, Manifest, STATE};
use super::progress::Progress;
use crate::error::{TrainError, bad};
use crate::step::{MixerState, Stepper};

const DENSE: &str = "dense.safetensors";
const OPTIMIZER: &str = "optimizer.bpk";
const TABLES: &str = "tables";

/// Where a checkpoint's tables are.
pub(crate) fn tables_folder(checkpoint: &Path) -> PathBuf {
    checkpoint.join(TABLES)
}

/// Writes a checkpoint and then the manifest; older checkpoints that are neither latest, best nor published go.
/// `publish` is made the best one in the same write.
///
/// # Errors
/// [`TrainError::Unsaved`]; what was half-written is gone then, and earlier checkpoints stand.
pub(crate) fn save(
    checkpoints: &Path,
    stepper: &Stepper,
    encoder: &Encoder,
    progress: &Progress,
    is_best: bool,
    publish: Option<&Candidate>,
    more: Option<&(&'static str, Vec<u8>)>,
) -> Result<(), TrainError> {
    write(checkpoints, stepper, encoder, progress, is_best, publish, more).map_err(|error| {
        let temporary = checkpoints.join(format!("{TEMPORARY}{}", progress.folder()));
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
    stepper: &Stepper,
    encoder: &Encoder,
    progress: &Progress,
    is_best: bool,
    publish: Option<&Candidate>,
    more: Option<&(&'static str, Vec<u8>)>,
) -> Result<(), TrainError> {
    let name = progress.folder();
    let folder = checkpoints.join(&name);
    let manifest = Manifest::read(checkpoints)?.unwrap_or_default();
    let mut files = None;
    if !manifest.files.contains_key(&name) {
        let temporary = checkpoints.join(format!("{TEMPORARY}{name}"));
        write_files(&temporary, stepper, encoder, progress)?;
        if let Some((name, bytes)) = more {
            write_durable(&temporary.join(name), bytes)?;
            sync_folder(&temporary)?;
        }
        if folder.exists() {
            discard(&folder);
        }
        fs::rename(&temporary, &folder).map_err(TrainError::io(&folder))?;
        sync_folder(checkpoints)?;
        files = Some(fingerprints(&folder)?);
    }
    manifest.add(checkpoints, name, files, is_best, publish)
}

/// TOML, whose numbers come back to the bit; serde_json's may be off by the last one.
fn to_toml<T: Serialize>(value: &T) -> Result<String, TrainError> {
    toml::to_string(value).map_err(|e| bad("checkpoint", e.to_string()))
}

fn write_files(folder: &Path, stepper: &Stepper, encoder: &Encoder, progress: &Progress) -> Result<(), TrainError> {
    if folder.exists() {
        discard(folder);
    }
    let tables = tables_folder(folder);
    fs::create_dir_all(&tables).map_err(TrainError::io(&tables))?;
    let dense = folder.join(DENSE);
    let mut store = SafetensorsStore::from_bytes(None).clear_metadata();
    stepper.weights.model()?.save_into(&mut store).map_err(|e| broken(&dense, e.to_string()))?;
    let bytes = store.get_bytes().map_err(|e| broken(&dense, e.to_string()))?;
    write_durable(&dense, &bytes)?;
    let path = folder.join(OPTIMIZER);
    let bytes = stepper.optimizer.into_bytes().map_err(|e| broken(&path, e.to_string()))?;
    write_durable(&path, &bytes)?;
    write_durable(&folder.join(STATE), to_toml(progress)?.as_bytes())?;
    if let Some(state) = stepper.mixer_state() {
        write_durable(&folder.join(MIXER), to_toml(&state)?.as_bytes())?;
    }
    write_durable(&folder.join(ENCODER), to_toml(encoder.fitted())?.as_bytes())?;
    stepper.weights.tables.save(&tables, stepper.weights.slots())?;
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

/// What the mixer of the tasks keeps.
const MIXER: &str = "mixer.toml";

/// Gives a stepper what a checkpoint's optimiser and mixer kept.
pub(crate) fn load_step(folder: &Path, stepper: &mut Stepper) -> Result<(), TrainError> {
    stepper.optimizer = load_optimizer(folder, stepper.optimizer.clone())?;
    let path = folder.join(MIXER);
    if stepper.mixer_state().is_none() || !path.exists() {
        return Ok(());
    }
    let text = fs::read_to_string(&path).map_err(TrainError::io(&path))?;
    let state: MixerState = toml::from_str(&text).map_err(|e| broken(&path, e.to_string()))?;
    stepper.restore_mixer(&state)
}

/// Reads the dense optimiser's state.
fn load_optimizer(folder: &Path, optimizer: ModuleOptimizer) -> Result<ModuleOptimizer, TrainError> {
    let path = folder.join(OPTIMIZER);
    let bytes = fs::read(&path).map_err(TrainError::io(&path))?;
    optimizer.from_bytes(Bytes::from_bytes_vec(bytes)).map_err(|e| broken(&path, e.to_string()))
}
