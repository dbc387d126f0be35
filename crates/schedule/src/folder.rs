//! Run folders that begin as a copy of another one.

use std::fs;
use std::path::Path;

use burnrec_train::{RunFolder, TrainError};

/// Copies that are begun anew while a run replaces its checkpoints.
const TRIES: usize = 20;

/// Copies what a run left, as the beginning of another; whole, or not at all. A run that is there already stays.
///
/// # Errors
/// Folders that cannot be read or written.
pub fn begin_as(from: &Path, to: &Path) -> Result<(), TrainError> {
    begin_with(from, to, &|_| Ok(()))
}

/// The same, with what `more` writes into the folder before it is there.
///
/// # Errors
/// As [`begin_as`].
pub fn begin_with(from: &Path, to: &Path, more: &dyn Fn(&Path) -> Result<(), TrainError>) -> Result<(), TrainError> {
    if RunFolder::is_started(to) {
        return Ok(());
    }
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let beside = to.with_file_name(format!(".tmp-{name}"));
    if beside.exists() {
        fs::remove_dir_all(&beside).map_err(TrainError::io(&beside))?;
    }
    // A run that is training replaces its checkpoints meanwhile.
    let mut tries = 0;
    while let Err(error) = copy(from, &beside) {
        let gone = matches!(&error, TrainError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound);
        tries += 1;
        if !gone || tries == TRIES {
            return Err(error);
        }
        fs::remove_dir_all(&beside).map_err(TrainError::io(&beside))?;
    }
    if let Err(error) = more(&beside) {
        fs::remove_dir_all(&beside).map_err(TrainError::io(&beside))?;
        return Err(error);
    }
    fs::rename(&beside, to).map_err(TrainError::io(to))
}

fn copy(from: &Path, to: &Path) -> Result<(), TrainError> {
    fs::create_dir_all(to).map_err(TrainError::io(to))?;
    for entry in fs::read_dir(from).map_err(TrainError::io(from))? {
        let entry = entry.map_err(TrainError::io(from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
        } else if !entry.file_name().to_string_lossy().starts_with('.') {
            fs::copy(&path, &target).map_err(TrainError::io(&target))?;
        }
    }
    Ok(())
}
