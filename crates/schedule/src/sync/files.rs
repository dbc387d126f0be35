//! The folders of exports: written beside, then renamed; a manifest says what each must hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burnrec_train::TrainError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The folder of what all exports make together.
pub(super) const STATE: &str = "state";
const MANIFEST: &str = "manifest.json";
/// What a folder is called while another takes its place.
const OLD: &str = ".tmp-old";

/// What an export is, and its files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Its place in the sequence.
    pub(super) sequence: u64,
    /// Whether it is a full one.
    pub(super) full: bool,
    /// The training step that it is of.
    pub(super) step: u64,
    /// A hash of the config of the run.
    pub(super) model: String,
    /// What the export before it made; nothing of the first.
    #[serde(default)]
    pub(super) follows: String,
    /// The export that each part of the model changed in last: `dense`, `encoder`, and tables by their file.
    #[serde(default)]
    pub(super) versions: BTreeMap<String, u64>,
    /// A hash of what the full export after it holds.
    pub(super) makes: String,
    /// sha256 of every file.
    pub(super) files: BTreeMap<String, String>,
}

/// sha256 in hex.
pub(super) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// `000003-delta`
pub(super) fn name_of(sequence: u64, full: bool) -> String {
    format!("{sequence:06}-{}", if full { "full" } else { "delta" })
}

fn hashes(folder: &Path, below: &str, to: &mut BTreeMap<String, String>) -> Result<(), TrainError> {
    let here = folder.join(below);
    for entry in fs::read_dir(&here).map_err(TrainError::io(&here))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        match entry.path().is_dir() {
            true => hashes(folder, &name, to)?,
            false if name != MANIFEST => {
                let bytes = fs::read(entry.path()).map_err(TrainError::io(&entry.path()))?;
                to.insert(name, hash(&bytes));
            }
            false => {}
        }
    }
    Ok(())
}

impl Manifest {
    /// The manifest of a folder; none where there is none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, TrainError> {
        let path = folder.join(MANIFEST);
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .map_err(|e| TrainError::Checkpoint { path, problem: format!("is no manifest of an export ({e})") }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(TrainError::io(&path)(e)),
        }
    }

    /// The same with the files that are there, and what they make: themselves, where nothing else is said.
    pub(super) fn of_files(mut self, folder: &Path, makes: Option<String>) -> Result<Self, TrainError> {
        hashes(folder, "", &mut self.files)?;
        self.makes = makes.unwrap_or_else(|| self.state());
        Ok(self)
    }

    /// A hash over the hashes of its files.
    pub(super) fn state(&self) -> String {
        hash(serde_json::to_string(&self.files).unwrap_or_default().as_bytes())
    }

    /// Refuses a folder whose files are not the manifest's.
    pub(super) fn check(&self, folder: &Path) -> Result<(), TrainError> {
        let mut found = BTreeMap::new();
        hashes(folder, "", &mut found)?;
        let odd = self.files.iter().find(|(name, hash)| found.get(*name) != Some(hash)).map(|(name, _)| name);
        match odd.or_else(|| found.keys().find(|name| !self.files.contains_key(*name))) {
            Some(name) => Err(TrainError::Checkpoint {
                path: folder.join(name),
                problem: "is missing, or is not as it was exported".into(),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), TrainError> {
        burnrec_train::write_whole(
            &folder.join(MANIFEST),
            serde_json::to_string_pretty(self).unwrap_or_default().as_bytes(),
        )
    }
}

/// A new folder beside the one that it will be.
pub(super) fn begin(folder: &Path, name: &str) -> Result<PathBuf, TrainError> {
    let path = folder.join(format!(".tmp-{name}"));
    if path.exists() {
        fs::remove_dir_all(&path).map_err(TrainError::io(&path))?;
    }
    fs::create_dir_all(path.join("tables")).map_err(TrainError::io(&path))?;
    Ok(path)
}

/// Puts a folder back that a job was killed over while it replaced it.
pub(super) fn recover(folder: &Path) -> Result<(), TrainError> {
    let (old, state) = (folder.join(OLD), folder.join(STATE));
    match old.exists() && !state.exists() {
        true => fs::rename(&old, &state).map_err(TrainError::io(&state)),
        false => Ok(()),
    }
}

/// Makes a new folder the one that it was written for, in the place of what stood there.
pub(super) fn finish(from: &Path, to: &Path) -> Result<(), TrainError> {
    let old = to.with_file_name(OLD);
    if old.exists() {
        fs::remove_dir_all(&old).map_err(TrainError::io(&old))?;
    }
    if to.exists() {
        fs::rename(to, &old).map_err(TrainError::io(to))?;
    }
    fs::rename(from, to).map_err(TrainError::io(to))?;
    discard(&[&old]);
    Ok(())
}

/// Removes folders that are of no use; what cannot be removed is overwritten later.
pub(super) fn discard(folders: &[&Path]) {
    folders.iter().filter(|folder| folder.exists()).for_each(|folder| drop(fs::remove_dir_all(folder)));
}

/// Copies a file into folders, by the name that it had before; whether it is another than then.
pub(super) fn copy_plain(from: &Path, before: &Path, to: &[&Path]) -> Result<bool, TrainError> {
    let bytes = fs::read(from).map_err(TrainError::io(from))?;
    for folder in to {
        burnrec_train::write_whole(&folder.join(before.file_name().unwrap_or_default()), &bytes)?;
    }
    Ok(fs::read(before).map_or(true, |old| old != bytes))
}
