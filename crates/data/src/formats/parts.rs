//! The files of a folder, and what the folders between say of their rows.

use std::path::{Path, PathBuf};

use crate::config::FormatKind;
use crate::error::DataError;

/// The files of one format below a folder, in the order of their paths.
pub(super) fn list(folder: &Path, given: Option<FormatKind>) -> Result<(FormatKind, Vec<PathBuf>), DataError> {
    let mut files: Vec<(FormatKind, PathBuf)> = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    // Links may lead back.
    let mut seen = std::collections::HashSet::new();
    while let Some(next) = folders.pop() {
        if !seen.insert(next.canonicalize().unwrap_or_else(|_| next.clone())) {
            continue;
        }
        for entry in std::fs::read_dir(&next).map_err(|e| DataError::io(&next, e))? {
            let path = entry.map_err(|e| DataError::io(&next, e))?.path();
            let hidden = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(['_', '.']));
            match (hidden, path.is_dir(), FormatKind::of_path(&path)) {
                (true, ..) => {}
                (_, true, _) => folders.push(path),
                (_, _, Some(kind)) => files.push((kind, path)),
                (_, _, None) => files.extend(given.map(|kind| (kind, path))),
            }
        }
    }
    files.sort_by(|a, b| a.1.cmp(&b.1));
    // Beside rows of Parquet there may be notes in other formats.
    let has = |kind| files.iter().any(|f| f.0 == kind);
    let kind = given.or_else(|| has(FormatKind::Parquet).then_some(FormatKind::Parquet));
    let first = files.first().map(|f| (f.0, f.1.clone()));
    let Some(kind) = kind.or(first.as_ref().map(|f| f.0)) else {
        return Err(DataError::IsFolder {
            path: folder.to_path_buf(),
            expected: "file, or a folder of Parquet, CSV, TSV, JSON lines or libsvm files,",
        });
    };
    let two = files.iter().find(|f| f.0 != kind && kind != FormatKind::Parquet && given.is_none());
    if let (Some((_, one)), Some((_, other))) = (first, two) {
        return Err(DataError::Setting {
            key: "format".into(),
            problem: format!(
                "{} holds files of several formats ({} and {}); say which one",
                folder.display(),
                one.display(),
                other.display()
            ),
        });
    }
    let paths: Vec<PathBuf> = files.into_iter().filter(|f| f.0 == kind).map(|f| f.1).collect();
    match paths.is_empty() {
        true => Err(DataError::IsFolder {
            path: folder.to_path_buf(),
            expected: "folder of files in the format that data.format names",
        }),
        false => Ok((kind, paths)),
    }
}

/// The `key=value` folders between a root and a file.
pub(super) fn partitions(root: &Path, path: &Path) -> Vec<(String, String)> {
    let below = path.strip_prefix(root).unwrap_or(Path::new(""));
    let folders = below.parent().unwrap_or(Path::new(""));
    let pair = |part: std::path::Component<'_>| {
        let (key, value) = part.as_os_str().to_str()?.split_once('=')?;
        Some((decoded(key), decoded(value)))
    };
    folders.components().filter_map(pair).collect()
}

/// A folder name with its `%20` and the like turned back into characters.
fn decoded(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|c| std::str::from_utf8(c).ok());
        match code.and_then(|c| u8::from_str_radix(c, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| name.to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn partition_names_are_percent_decoded() {
        assert_eq!(super::decoded("a%20b%2Fc"), "a b/c");
        assert_eq!(super::decoded("50%"), "50%");
        assert_eq!(super::decoded("%zz"), "%zz");
    }
}
