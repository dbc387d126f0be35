//! Files of caches that nobody reads any more: of data that changed, of settings that nobody trains with, of writers that were
//! killed.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How the files of writers begin.
pub(super) const TEMPORARY: &str = ".tmp-cache-";

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Days after which a file that is being written is nobody's any more.
const DEAD: u32 = 1;
/// Days after which a cache that nothing has read is removed.
const DISUSED: u32 = 30;

/// Marks a cache as used now: not every file system keeps when files were read.
pub fn used(path: &Path) {
    let marked = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
    if let Err(error) = marked {
        tracing::debug!("data.cache: {} cannot be marked as used ({error})", path.display());
    }
}

/// Whether a name is of a cache: it ends with a part of its key.
fn is_cache(name: &str) -> bool {
    let stem = name.strip_suffix(".arrow").or_else(|| name.strip_suffix(".bin"));
    let key = stem.and_then(|stem| stem.rsplit_once('-')).map(|(_, key)| key);
    key.is_some_and(|key| key.len() == 16 && key.bytes().all(|c| c.is_ascii_hexdigit()))
}

/// Removes what nobody reads any more from a folder of caches, and says what it was.
pub(super) fn clear(folder: &Path) {
    let (mut caches, mut bytes) = (0, 0);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        let name = entry.file_name();
        let days = match name.to_string_lossy() {
            name if name.starts_with(TEMPORARY) => DEAD,
            name if is_cache(&name) => DISUSED,
            _ => continue,
        };
        let latest = metadata.modified().into_iter().chain(metadata.accessed()).max();
        let age = latest.and_then(|time| time.elapsed().ok());
        if metadata.is_file()
            && age.is_some_and(|age| age > DAY * days)
            && std::fs::remove_file(entry.path()).is_ok()
            && days == DISUSED
        {
            (caches, bytes) = (caches + 1, bytes + metadata.len());
        }
    }
    if caches > 0 {
        let (mib, folder) = (bytes.div_ceil(1 << 20), folder.display());
        tracing::info!(
            "data.cache: removed {caches} files, {mib} MiB, that nothing has read for {DISUSED} days, from {folder}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::FileTimes;

    #[test]
    fn what_was_read_lately_stays_and_what_is_no_cache_stays_too() {
        let folder = tempfile::tempdir().unwrap();
        let aged = |name: &str, days: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, "x").unwrap();
            let file = File::options().append(true).open(&path).unwrap();
            let then = SystemTime::now() - DAY * days;
            file.set_times(FileTimes::new().set_modified(then).set_accessed(then)).unwrap();
            path
        };
        let gone = [aged("log.parquet-train-0123456789abcdef.arrow", 31), aged("log-fit-00000000000000ff.bin", 40)];
        let writer = aged(".tmp-cache-x", 2);
        let read = aged("log-test-0123456789abcdef.arrow", 50);
        used(&read);
        let stays = [
            aged("log-valid-0123456789abcdef.arrow", 29),
            aged("own-table.arrow", 300),
            aged("log-train-0123456789abcdeg.arrow", 300),
            aged(".tmp-cache-y", 0),
            read,
        ];
        clear(folder.path());
        assert!(gone.iter().chain([&writer]).all(|path| !path.exists()), "{gone:?}");
        assert!(stays.iter().all(|path| path.exists()), "{stays:?}");
    }
}
