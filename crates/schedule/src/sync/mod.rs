//! What a serving copy of a model needs, and how it is kept up with training: a full export first, then deltas in a sequence.
//!
//! ```text
//! FOLDER/000000-full/    manifest.json  dense.safetensors  encoder.toml  trees.json  tables/LOOKUP-S.arrow (slot, key, weights)
//! FOLDER/000001-delta/   the same, with the rows that changed, and removed/LOOKUP-S.arrow (slot, key): those that went
//! FOLDER/state/          the full export that all of them together make
//! ```
//! Rows whose weights are all zero are left out: to a model they are what is not there.

mod apply;
mod files;
mod rows;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burnrec_train::{TrainError, published, trees_of};

pub use apply::apply;
use files::{Manifest, STATE, begin, copy_plain, finish, name_of, recover};
use rows::{Rows, read_checkpoint, tables_of};

/// Parts of a model that are one file, and the file.
const PLAIN: [(&str, &str); 2] = [("dense", "dense.safetensors"), ("encoder", "encoder.toml")];

/// Trees, where the model has some.
const TREES: &str = "trees.json";

/// What an export wrote.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Its place in the sequence; 0 is the full one.
    pub sequence: u64,
    /// The folder.
    pub folder: PathBuf,
    /// Rows in it.
    pub rows: u64,
    /// Rows that went.
    pub removed: u64,
    /// Rows of the whole model.
    pub of: u64,
}

/// Writes what changed since the last export into a folder of them, or everything where there is none yet; nothing where nothing
/// changed.
///
/// # Errors
/// Runs without a checkpoint, folders that hold the exports of another model, disks without room.
pub fn export(run: &Path, folder: &Path) -> Result<Option<Exported>, TrainError> {
    let (checkpoint, step) = published(run)?;
    let state = folder.join(STATE);
    recover(folder)?;
    let mut before = Manifest::read(&state)?;
    // An export that was written whole before a job was killed, and a state that was lost: copies may have the exports already.
    let there = apply::sequence(folder)?.keys().next_back().copied();
    if there.is_some_and(|last| before.as_ref().is_none_or(|before| before.sequence < last)) {
        apply::apply(folder, folder)?;
        before = Manifest::read(&state)?;
    }
    let config = fs::read_to_string(run.join("config.toml")).map_err(TrainError::io(run))?;
    let model = files::hash(config.as_bytes());
    if let Some(before) = before.as_ref().filter(|before| before.model != model) {
        return Err(TrainError::Setting {
            key: "--deltas".into(),
            problem: format!(
                "{} holds the exports of a run of another config (model {}); give another folder",
                folder.display(),
                before.model
            ),
        });
    }
    let sequence = before.as_ref().map_or(0, |before| before.sequence + 1);
    let name = name_of(sequence, before.is_none());
    let (delta, next) = (begin(folder, &name)?, begin(folder, STATE)?);
    let version = |before: &Option<Manifest>, part: &str, moved: bool| {
        let was = before.as_ref().and_then(|before| before.versions.get(part)).filter(|_| !moved);
        was.copied().unwrap_or(sequence)
    };
    let mut versions = BTreeMap::new();
    let (mut written, mut removed, mut all) = (0, 0, 0);
    let mut changed = before.is_none();
    for table in tables_of(&checkpoint)? {
        let now = read_checkpoint(&checkpoint, &table)?;
        let was = match before.is_some() {
            true => Rows::read(&state.join("tables").join(&table))?,
            false => Rows::default(),
        };
        let (more, gone) = now.since(&was);
        (written, removed, all) = (written + more.len() as u64, removed + gone.len() as u64, all + now.len() as u64);
        let moved = more.len() + gone.len() > 0;
        changed |= moved;
        versions.insert(format!("tables/{table}"), version(&before, &format!("tables/{table}"), moved));
        more.write(&delta.join("tables").join(&table))?;
        if before.is_some() {
            gone.write(&delta.join("removed").join(&table))?;
        }
        now.write(&next.join("tables").join(&table))?;
    }
    let trees = trees_of(run, &checkpoint)?.map(|path| ("trees", TREES, path));
    let plain = PLAIN.map(|(part, name)| (part, name, checkpoint.join(name)));
    for (part, name, path) in plain.into_iter().chain(trees) {
        let moved = copy_plain(&path, &state.join(name), &[&delta, &next])?;
        changed |= moved;
        versions.insert(part.to_string(), version(&before, part, moved));
    }
    if !changed {
        files::discard(&[&delta, &next]);
        return Ok(None);
    }
    let follows = before.as_ref().map_or_else(String::new, |before| before.makes.clone());
    let manifest = Manifest { sequence, step, model, full: before.is_none(), follows, versions, ..Manifest::default() };
    let whole = Manifest { full: true, ..manifest.clone() }.of_files(&next, None)?;
    let part = manifest.of_files(&delta, Some(whole.state()))?;
    part.write(&delta)?;
    whole.write(&next)?;
    // A state never stands without its delta.
    finish(&delta, &folder.join(&name))?;
    finish(&next, &state)?;
    Ok(Some(Exported { sequence, folder: folder.join(name), rows: written, removed, of: all }))
}
