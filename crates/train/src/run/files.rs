//! Files that are whole or not there: written beside, made durable, renamed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::TrainError;

/// Prefix of what an interrupted write may leave; removed when a run goes on.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// Makes a folder's entries durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), TrainError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(TrainError::io(folder))
}

/// Writes a file whole, or not at all.
///
/// # Errors
/// A folder that cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let io = TrainError::io(path);
    // A bare name has a parent of no name.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .permissions(burnrec_data::readable())
        .tempfile_in(folder)
        .map_err(&io)?;
    file.write_all(bytes).map_err(&io)?;
    file.as_file().sync_all().map_err(&io)?;
    file.persist(path).map_err(|e| io(e.error))?;
    sync_folder(folder)
}

/// Writes a new file and makes it durable.
pub(crate) fn write_durable(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let io = TrainError::io(path);
    let mut file = File::create(path).map_err(&io)?;
    file.write_all(bytes).map_err(&io)?;
    file.sync_all().map_err(&io)
}

/// Removes a folder that is no longer needed; one that cannot be removed is left and told of.
pub(crate) fn discard(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!("{} could not be removed: {error}", folder.display());
    }
}

/// Size and sha256 of a file.
pub(crate) fn fingerprint(path: &Path) -> Result<(u64, String), TrainError> {
    let io = TrainError::io(path);
    let mut file = File::open(path).map_err(&io)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer).map_err(&io)? {
            0 => break,
            n => {
                hasher.update(&buffer[..n]);
                bytes += n as u64;
            }
        }
    }
    Ok((bytes, hasher.finalize().iter().map(|b| format!("{b:02x}")).collect()))
}

/// A file of a checkpoint that is not as it was written.
pub(crate) fn broken(path: &Path, problem: impl Into<String>) -> TrainError {
    TrainError::Checkpoint { path: path.to_path_buf(), problem: problem.into() }
}
