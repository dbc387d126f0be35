//! What the encoder keeps in files of its own, written once: the run's items and users (`catalogue/items.arrow` and
//! `catalogue/users.arrow`) and its trees (`trees.json`; those that a schedule grew later are `trees-HASH.json`). Every checkpoint
//! names the ones it belongs to.

use std::fs;
use std::path::{Path, PathBuf};

use burnrec_features::{Catalogue, Encoder, Fitted, Schema, Trees};

use super::files::{broken, write_whole};
use super::manifest::ENCODER;
use crate::error::TrainError;

/// How the files of trees that were grown later begin.
const LATER: &str = "trees-";

fn paths(checkpoints: &Path) -> [PathBuf; 2] {
    let folder = checkpoints.parent().unwrap_or(checkpoints).join("catalogue");
    [folder.join("items.arrow"), folder.join("users.arrow")]
}

fn trees_path(checkpoints: &Path) -> PathBuf {
    checkpoints.parent().unwrap_or(checkpoints).join("trees.json")
}

/// Where trees stand that were grown later.
fn later_path(checkpoints: &Path, fingerprint: &str) -> PathBuf {
    let short: String = fingerprint.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    checkpoints.parent().unwrap_or(checkpoints).join(format!("{LATER}{short}.json"))
}

/// The file of the trees with this fingerprint: the first ones, or later ones.
pub(crate) fn trees_file(checkpoints: &Path, fingerprint: &str) -> PathBuf {
    let later = later_path(checkpoints, fingerprint);
    if later.is_file() { later } else { trees_path(checkpoints) }
}

/// Reads the trees, and checks that what learned from their leaves belongs to them.
pub(crate) fn read_trees(checkpoints: &Path, schema: &Schema, fitted: &Fitted) -> Result<Option<Trees>, TrainError> {
    let Some(expected) = &fitted.trees else { return Ok(None) };
    let path = trees_file(checkpoints, expected);
    let text = fs::read_to_string(&path).map_err(|e| broken(&path, format!("cannot be read ({e})")))?;
    if Trees::fingerprint(&text) != *expected {
        let later = later_path(checkpoints, expected);
        let name = later.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let gone = if later.is_file() { String::new() } else { format!(", and {name} is not there") };
        let problem = format!("holds other trees than the ones whose leaves this checkpoint learned from{gone}");
        return Err(broken(&path, problem));
    }
    Ok(Some(Trees::load(&text, schema)?))
}

/// Trees take no others' place as long as a checkpoint names those.
fn write_trees(checkpoints: &Path, text: &str) -> Result<(), TrainError> {
    let (first, fingerprint) = (trees_path(checkpoints), Trees::fingerprint(text));
    match fs::read_to_string(&first) {
        Ok(there) if Trees::fingerprint(&there) == fingerprint => return Ok(()),
        Ok(_) => {}
        Err(_) => return write_whole(&first, text.as_bytes()),
    }
    let later = later_path(checkpoints, &fingerprint);
    let named: Vec<String> = fs::read_dir(checkpoints)
        .map_err(TrainError::io(checkpoints))?
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join(ENCODER)).ok())
        .collect();
    let folder = first.parent().unwrap_or(checkpoints);
    for entry in fs::read_dir(folder).map_err(TrainError::io(folder))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let short = name.strip_prefix(LATER).and_then(|rest| rest.strip_suffix(".json"));
        if short.is_some_and(|short| !named.iter().any(|text| text.contains(short))) {
            fs::remove_file(entry.path()).map_err(TrainError::io(&entry.path()))?;
        }
    }
    write_whole(&later, text.as_bytes())
}

/// Writes the catalogue and the trees of a run, where it has them.
pub(crate) fn write(checkpoints: &Path, encoder: &Encoder) -> Result<(), TrainError> {
    if let Some(trees) = encoder.trees() {
        write_trees(checkpoints, &trees.save()?)?;
    }
    let Some(catalogue) = encoder.catalogue() else { return Ok(()) };
    let paths = paths(checkpoints);
    let folder = paths[0].parent().unwrap_or(checkpoints);
    fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
    let tables = catalogue.to_arrow(encoder.schema()).map_err(|e| broken(&paths[0], e.to_string()))?;
    paths.iter().zip(tables).try_for_each(|(path, bytes)| write_whole(path, &bytes))
}

/// Reads it back, and checks it against what the encoder was fitted with.
pub(crate) fn read_catalogue(
    checkpoints: &Path,
    schema: &Schema,
    fitted: &Fitted,
) -> Result<Option<Catalogue>, TrainError> {
    let Some(expected) = &fitted.catalogue else { return Ok(None) };
    let paths = paths(checkpoints);
    let bytes = |path: &PathBuf| fs::read(path).map_err(|e| broken(path, format!("cannot be read ({e})")));
    let tables = [bytes(&paths[0])?, bytes(&paths[1])?];
    let found = Catalogue::fingerprint(&tables);
    if let Some(at) = (0..2).find(|at| found.get(at * 64..at * 64 + 64) != expected.get(at * 64..at * 64 + 64)) {
        return Err(broken(&paths[at], "was altered"));
    }
    let catalogue = Catalogue::from_arrow(schema, &tables[0], &tables[1]);
    catalogue.map(Some).map_err(|(file, e)| broken(&paths[file], e.to_string()))
}
