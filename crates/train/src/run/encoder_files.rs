//! What the encoder keeps in files of its own, written once: the run's items and users (`catalogue/items.arrow` and
//! `catalogue/users.arrow`) and its trees (`trees.json`). Every checkpoint names the ones it belongs to.

use std::fs;
use std::path::{Path, PathBuf};

use burnrec_features::{Catalogue, Encoder, Fitted, Schema, Trees};

use super::files::{broken, write_whole};
use crate::error::TrainError;

fn paths(checkpoints: &Path) -> [PathBuf; 2] {
    let folder = checkpoints.parent().unwrap_or(checkpoints).join("catalogue");
    [folder.join("items.arrow"), folder.join("users.arrow")]
}

fn trees_path(checkpoints: &Path) -> PathBuf {
    checkpoints.parent().unwrap_or(checkpoints).join("trees.json")
}

/// Reads the trees, and checks that what learned from their leaves belongs to them.
pub(crate) fn read_trees(checkpoints: &Path, schema: &Schema, fitted: &Fitted) -> Result<Option<Trees>, TrainError> {
    let Some(expected) = &fitted.trees else { return Ok(None) };
    let path = trees_path(checkpoints);
    let text = fs::read_to_string(&path).map_err(|e| broken(&path, format!("cannot be read ({e})")))?;
    if Trees::fingerprint(&text) != *expected {
        return Err(broken(&path, "holds other trees than the ones whose leaves this checkpoint learned from"));
    }
    Ok(Some(Trees::load(&text, schema)?))
}

/// Writes the catalogue and the trees of a run, where it has them.
pub(crate) fn write(checkpoints: &Path, encoder: &Encoder) -> Result<(), TrainError> {
    if let Some(trees) = encoder.trees() {
        write_whole(&trees_path(checkpoints), trees.save()?.as_bytes())?;
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
    catalogue.map(Some).map_err(|e| broken(&paths[0], e.to_string()))
}
