//! Where a file is written.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::CliError;
use crate::setup;

/// Links that are followed at most, as the system does.
const LINKS: usize = 40;

/// The file that a path names: where it is a link, the one behind it, which the link goes on naming.
pub struct Place {
    path: PathBuf,
    folder: PathBuf,
    option: &'static str,
}

impl Place {
    /// A place that can be written.
    ///
    /// # Errors
    /// Links in a circle, and folders that are not there or cannot be written.
    pub fn of(path: &Path, option: &'static str) -> Result<Self, CliError> {
        let failed =
            |reason: &str| CliError::Output { path: path.display().to_string(), reason: reason.into(), option };
        let mut target = path.to_path_buf();
        let mut links = 0;
        while let Ok(next) = std::fs::read_link(&target) {
            links += 1;
            if links > LINKS {
                return Err(failed("its links lead in a circle"));
            }
            target = target.parent().unwrap_or(Path::new("")).join(next);
        }
        let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf();
        if !folder.is_dir() {
            return Err(failed(&format!("{} is not a folder", folder.display())));
        }
        // A device or a pipe would be replaced by a file.
        if target.exists() && !target.is_file() {
            return Err(failed("is no file that can be replaced"));
        }
        setup::probe_folder(&folder, option)?;
        Ok(Self { path: target, folder, option })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file beside it that goes when a signal ends the process.
    pub fn temporary(&self, what: &'static str) -> Result<NamedTempFile, CliError> {
        setup::tidy_on_signals(&self.folder, what);
        let made = tempfile::Builder::new()
            .prefix(&setup::temporary(what))
            .permissions(burnrec_data::readable())
            .tempfile_in(&self.folder);
        made.map_err(|e| self.failed(e.to_string()))
    }

    /// Makes a temporary file durable and puts it in its place.
    pub fn finish(&self, temporary: NamedTempFile) -> Result<(), CliError> {
        temporary.as_file().sync_all().map_err(|e| self.failed(e.to_string()))?;
        temporary.persist(&self.path).map(drop).map_err(|e| self.failed(e.error.to_string()))
    }

    /// An error of writing it: of the disk where the system says so, else of what was asked for.
    pub fn failed(&self, reason: String) -> CliError {
        let path = self.path.display().to_string();
        match reason.contains("(os error ") {
            true => CliError::Disk { path, reason },
            false => CliError::Output { path, reason, option: self.option },
        }
    }
}

/// Refuses an output that is the input, under whatever name.
pub fn refuse_input(input: &Path, output: &Path) -> Result<(), CliError> {
    let file = |path: &Path| std::fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
    match file(input).is_some_and(|own| file(output) == Some(own)) {
        true => {
            Err(CliError::Usage("--output is the file that is read, which is never written; name another file".into()))
        }
        false => Ok(()),
    }
}
