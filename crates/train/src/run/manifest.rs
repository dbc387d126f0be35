//! The list of a run's checkpoints: which is the latest, which the best, what their files must be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burnrec_features::{Fitted, Schema};
use serde::{Deserialize, Serialize};

use super::files::{TEMPORARY, broken, discard, fingerprint, write_whole};
use super::folder::FORMAT;
use super::progress::{Progress, STEP};
use crate::error::{TrainError, bad};

const MANIFEST: &str = "manifest.json";
pub(super) const STATE: &str = "state.toml";
pub(super) const ENCODER: &str = "encoder.toml";

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
    /// Checkpoints that were published by a gate, the oldest first; the last one is `best`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<String>,
    /// The latest checkpoint when a published model was gone back from: nothing goes on from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discarded: Option<String>,
    /// Files of each checkpoint: path → (bytes, sha256).
    pub files: BTreeMap<String, BTreeMap<String, (u64, String)>>,
}

/// A checkpoint that a gate let pass.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub name: String,
    /// Published checkpoints that stay.
    pub keep: usize,
}

/// What is read back besides model and tables.
pub(crate) struct Loaded {
    pub progress: Progress,
    pub fitted: Fitted,
    pub folder: PathBuf,
}

/// Whether a name is one that [`Progress::folder`] gives.
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

impl Manifest {
    /// Whether a checkpoint of a step is there.
    pub(crate) fn has_step(&self, step: u64) -> bool {
        let name = format!("{STEP}{step:012}-");
        self.files.keys().any(|known| known.starts_with(&name))
    }

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

    /// A hash of the sizes and hashes of the latest checkpoint's files.
    pub(crate) fn fingerprint(&self) -> String {
        let text = serde_json::to_string(&self.files.get(&self.latest)).unwrap_or_default();
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
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
        let named =
            (!self.latest.is_empty()).then_some(&self.latest).into_iter().chain(&self.best).chain(&self.published);
        match named.into_iter().find(|name| !self.files.contains_key(*name)) {
            Some(name) => odd("checkpoint", name),
            None => Ok(()),
        }
    }

    /// Checks every file of a checkpoint against the manifest, reads its small ones, and checks what they say.
    pub(crate) fn open(&self, checkpoints: &Path, name: &str, schema: &Schema) -> Result<Loaded, TrainError> {
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
        let progress: Progress =
            toml::from_str(&text(STATE)?).map_err(|e| broken(&folder.join(STATE), e.to_string()))?;
        progress.check(name, schema.targets.len()).map_err(|e| broken(&folder.join(STATE), e))?;
        let fitted: Fitted =
            toml::from_str(&text(ENCODER)?).map_err(|e| broken(&folder.join(ENCODER), e.to_string()))?;
        let classes: Vec<usize> = schema.targets.iter().map(|t| t.classes().map_or(0, <[String]>::len)).collect();
        fitted
            .check(&classes, schema.numeric.len(), schema.categorical.len())
            .map_err(|e| broken(&folder.join(ENCODER), e))?;
        Ok(Loaded { progress, fitted, folder })
    }

    /// Adds a checkpoint and makes it the latest; older ones that are neither latest nor best go.
    pub(super) fn add(
        mut self,
        checkpoints: &Path,
        name: String,
        files: Option<BTreeMap<String, (u64, String)>>,
        is_best: bool,
        publish: Option<&Candidate>,
    ) -> Result<(), TrainError> {
        self.files.extend(files.map(|files| (name.clone(), files)));
        (self.format, self.version) = (FORMAT, env!("CARGO_PKG_VERSION").to_string());
        self.latest.clone_from(&name);
        if is_best {
            self.best = Some(name);
        }
        if let Some(candidate) = publish.filter(|candidate| self.files.contains_key(&candidate.name)) {
            self.publish(candidate);
        }
        self.write_and_sweep(checkpoints)
    }

    /// Writes the manifest, and then removes the checkpoints that it does not name any more.
    fn write_and_sweep(mut self, checkpoints: &Path) -> Result<(), TrainError> {
        let named =
            |name: &String| *name == self.latest || Some(name) == self.best.as_ref() || self.published.contains(name);
        let stale: Vec<String> = self.files.keys().filter(|name| !named(name)).cloned().collect();
        stale.iter().for_each(|name| drop(self.files.remove(name)));
        write_whole(&checkpoints.join(MANIFEST), to_json(&self).as_bytes())?;
        stale.iter().for_each(|name| discard(&checkpoints.join(name)));
        Ok(())
    }

    /// Makes a checkpoint the best one. The last `keep` published ones stay.
    fn publish(&mut self, candidate: &Candidate) {
        let before = self.best.take().filter(|best| self.published.last() != Some(best) && *best != candidate.name);
        self.published.extend(before);
        self.best = Some(candidate.name.clone());
        if self.published.last() != Some(&candidate.name) {
            self.published.push(candidate.name.clone());
        }
        self.published.drain(..self.published.len().saturating_sub(candidate.keep.max(1)));
    }

    /// Goes back to the checkpoint that was published before; its name.
    ///
    /// # Errors
    /// None was.
    pub(crate) fn roll_back(mut self, checkpoints: &Path) -> Result<String, TrainError> {
        // What learned on since it was published is no published one.
        if self.best.as_ref() == self.published.last() {
            self.published.pop();
        }
        let Some(before) = self.published.last().cloned() else {
            return Err(bad(
                "rollback",
                "no model was published before the one that is; schedule.gate.keep says how many stay",
            ));
        };
        self.best = Some(before.clone());
        self.discarded = Some(self.latest.clone());
        self.write_and_sweep(checkpoints)?;
        Ok(before)
    }
}

fn to_json(manifest: &Manifest) -> String {
    serde_json::to_string_pretty(manifest).unwrap_or_default()
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
        assert!(is_step(&own.folder()));
        for name in
            ["../../x", "/etc", "step-1-epoch-", "step-1-epoch-2/..", "step--epoch-1", "", ".", "step-1-epoch-1 "]
        {
            assert!(!is_step(name), "{name}");
        }
        for name in
            ["dense.safetensors", "optimizer.bpk", STATE, ENCODER, "tables/tables.json", "tables/factors-0.arrow"]
        {
            assert!(is_file_of_step(name), "{name}");
        }
        for name in ["../x", "tables/../x", "tables/", "/etc/passwd", "a/b", "..", "tables/tables/x", ".hidden", "a\\b"]
        {
            assert!(!is_file_of_step(name), "{name}");
        }
    }
}
