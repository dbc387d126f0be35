//! What files are by themselves: whether a path still holds what it held.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use xxhash_rust::xxh3::Xxh3;

/// Bytes of a sample of a file.
const SAMPLE: u64 = 64 << 10;

/// Samples of a file, its ends included.
const SAMPLES: u64 = 16;

/// A hash of the names, lengths and times of all files at some paths, and of samples of their bytes.
///
/// # Errors
/// Files that cannot be read.
pub fn fingerprint<'a>(paths: impl Iterator<Item = &'a Path>) -> std::io::Result<u64> {
    let mut hash = Xxh3::new();
    for path in paths {
        add(&mut hash, path, &mut Vec::new())?;
    }
    Ok(hash.digest())
}

/// Adds what is at a path; `above` are the folders that it stands in.
fn add(hash: &mut Xxh3, path: &Path, above: &mut Vec<PathBuf>) -> std::io::Result<()> {
    hash.update(path.as_os_str().as_encoded_bytes());
    if !path.is_dir() {
        return add_file(hash, path);
    }
    let mut below: Vec<_> = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    below.retain(|path| !path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(['.', '_'])));
    below.sort();
    // A link may lead back to where it stands.
    let own = path.canonicalize()?;
    if above.contains(&own) {
        return Ok(());
    }
    above.push(own);
    let added = below.iter().try_for_each(|path| add(hash, path, above));
    above.pop();
    added
}

fn add_file(hash: &mut Xxh3, path: &Path) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let facts = file.metadata()?;
    let length = facts.len();
    hash.update(&length.to_le_bytes());
    let changed = facts.modified()?.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    hash.update(&changed.to_le_bytes());
    let last = length.saturating_sub(SAMPLE);
    let mut bytes = Vec::new();
    for sample in 0..SAMPLES {
        file.seek(SeekFrom::Start(last * sample / (SAMPLES - 1)))?;
        bytes.clear();
        (&mut file).take(SAMPLE).read_to_end(&mut bytes)?;
        hash.update(&bytes);
        if last == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_byte_length_or_file_is_another_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.csv");
        let of = || fingerprint(std::iter::once(folder.path())).unwrap();
        std::fs::write(&file, vec![b'x'; 500_000]).unwrap();
        let first = of();
        assert_eq!(first, of());
        let when = std::fs::metadata(&file).unwrap().modified().unwrap();
        let mut other = vec![b'x'; 500_000];
        other[499_999] = b'y';
        std::fs::write(&file, other).unwrap();
        File::options().write(true).open(&file).unwrap().set_modified(when).unwrap();
        assert_ne!(first, of());
        std::fs::write(folder.path().join("b.csv"), "x").unwrap();
        assert_ne!(first, of());
        // Folders behind links are read, and those that lead back end.
        let other = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("back")).unwrap();
        std::os::unix::fs::symlink(other.path(), folder.path().join("part")).unwrap();
        let before = of();
        std::fs::write(other.path().join("c.csv"), "x").unwrap();
        assert_ne!(before, of());
        assert!(fingerprint(std::iter::once(Path::new("/nowhere"))).is_err());
    }
}
