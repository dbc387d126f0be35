//! Public data sets: one manifest each, fetched by the user on first use, never shipped.
//!
//! The built-in manifests are those of `datasets/*.toml`. A data folder may hold manifests of other names, such as those
//! of a site's own mirror; one that would stand in for a built-in one is refused.

mod fetch;
mod manifest;
mod movielens;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::{DataConfig, JoinConfig, TextConfig};
use crate::error::DataError;
pub use fetch::Announce;
pub use manifest::{Manifest, Origin, SideFile};

const BUILT_IN: [(&str, &str); 3] = [
    ("adult", include_str!("../../../../datasets/adult.toml")),
    ("ml-100k", include_str!("../../../../datasets/ml-100k.toml")),
    ("open-bandit", include_str!("../../../../datasets/open-bandit.toml")),
];

/// All data sets that are known below a data folder, by name.
///
/// # Errors
/// A manifest that cannot be read.
pub fn list(root: &Path) -> Result<Vec<Manifest>, DataError> {
    known(root, "")
}

/// All data sets that are known, of which one is wanted: its manifest alone must be right.
fn known(root: &Path, wanted: &str) -> Result<Vec<Manifest>, DataError> {
    let mut known: BTreeMap<String, Manifest> = BTreeMap::new();
    for (name, text) in BUILT_IN {
        known.insert(name.to_string(), Manifest::parse(name, text, Path::new(name))?);
    }
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path();
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        if path.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(&path).map_err(|e| DataError::io(&path, e))?;
            if BUILT_IN.iter().any(|(name, own)| *name == stem && own.trim() != text.trim()) {
                return Err(DataError::StandsIn { name: stem.to_string(), path: path.clone() });
            }
            // Whatever else lies in the folder concerns nobody who does not name it.
            match Manifest::parse(stem, &text, &path) {
                Ok(manifest) => drop(known.insert(stem.to_string(), manifest)),
                Err(error) if stem == wanted => return Err(error),
                Err(_) if is_manifest(&text) => {
                    tracing::warn!("{}: is no manifest that can be read; it is left out", path.display())
                }
                Err(_) => {}
            }
        }
    }
    Ok(known.into_values().collect())
}

/// Whether text looks like a manifest that somebody got wrong, and not like another TOML file.
fn is_manifest(text: &str) -> bool {
    text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("sources"))
}

/// The data set of this name, if it is one.
///
/// # Errors
/// A manifest that cannot be read.
pub fn find(root: &Path, name: &str) -> Result<Option<Manifest>, DataError> {
    Ok(known(root, name)?.into_iter().find(|m| m.name == name))
}

/// The rows of a run that may have moved together with its folder: relative places, and absolute ones that are not there
/// any more, are looked for beside `base` too.
pub fn place(root: &Path, config: &mut DataConfig, base: &Path) {
    config.place(base, |name| find(root, name).is_ok_and(|m| m.is_some()));
}

/// Fetches a data set if it is not there yet, and returns its folder.
///
/// # Errors
/// [`DataError::Fetch`] with every source that was tried.
pub fn fetch(root: &Path, manifest: &Manifest, announce: &Announce<'_>) -> Result<PathBuf, DataError> {
    match manifest.is_present(root) {
        true => Ok(manifest.folder(root)),
        false => fetch::fetch(root, manifest, announce),
    }
}

/// Whether the rows that `[data]` names are there: fetched, generated, or files. What is generated as it is read always is.
///
/// # Errors
/// A manifest that cannot be read.
pub fn is_there(root: &Path, config: &DataConfig) -> Result<bool, DataError> {
    if config.source == "synthetic" {
        let synthetic = config.synthetic.clone().unwrap_or_default();
        return Ok(root.join("synthetic").join(synthetic.file_name()).is_file());
    }
    Ok(find(root, &config.source)?.is_none_or(|manifest| manifest.is_present(root)))
}

/// The path of the rows that `[data]` names, fetched or generated on first use, with the side tables
/// of a public data set added to the configuration.
///
/// # Errors
/// A source that is neither a data set nor a path, and every failure of fetching or generating.
pub fn resolve(root: &Path, config: &DataConfig, announce: &Announce<'_>) -> Result<(PathBuf, DataConfig), DataError> {
    let mut config = config.clone();
    if config.source == "synthetic" {
        let synthetic = config.synthetic.clone().unwrap_or_default();
        synthetic.check()?;
        let path = root.join("synthetic").join(synthetic.file_name());
        if !path.is_file() {
            announce(&format!("generating {} rows into {}", synthetic.rows, path.display()));
            let truth = crate::synthetic::generate(&synthetic, &path)?;
            announce(&format!("Bayes AUC {:.4}, click rate {:.4}", truth.bayes_auc, truth.click_rate));
        }
        return Ok((path, config));
    }
    if config.source == "regression" {
        let regression = config.regression.clone().unwrap_or_default();
        regression.check()?;
        return Ok((regression.file(root)?, config));
    }
    let Some(manifest) = find(root, &config.source)? else {
        let path = PathBuf::from(&config.source);
        if !path.exists() {
            return Err(DataError::NoSource { path });
        }
        return Ok((path, config));
    };
    let folder = fetch(root, &manifest, announce)?;
    let given = std::mem::take(&mut config.join);
    let own = manifest.join.iter().map(|side| JoinConfig {
        source: folder.join(&side.file).display().to_string(),
        on: side.on.clone(),
        columns: None,
        format: None,
        text: TextConfig::default(),
    });
    config.join = own.chain(given).collect();
    Ok((folder.join(&manifest.main), config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_beside_the_data_never_stands_in_for_a_built_in_one_and_names_files_below_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let own = BUILT_IN[1].1.replace("recbole==1.2.1", "evil==1.0");
        std::fs::write(folder.path().join("ml-100k.toml"), BUILT_IN[1].1).unwrap();
        assert_eq!(list(folder.path()).unwrap().len(), 3);
        std::fs::write(folder.path().join("ml-100k.toml"), &own).unwrap();
        let error = list(folder.path()).unwrap_err().to_string();
        assert!(error.contains("ml-100k.toml") && error.contains("another name"), "{error}");
        std::fs::rename(folder.path().join("ml-100k.toml"), folder.path().join("mirror.toml")).unwrap();
        assert!(find(folder.path(), "mirror").unwrap().is_some());
        for file in ["../../etc/passwd", "/etc/passwd"] {
            std::fs::write(
                folder.path().join("mirror.toml"),
                own.replace("\"ml-100k.user\"\non", &format!("\"{file}\"\non")),
            )
            .unwrap();
            let error = find(folder.path(), "mirror").unwrap_err().to_string();
            assert!(error.contains(file), "{error}");
            // It stops nobody who does not name it.
            assert_eq!(list(folder.path()).unwrap().len(), 3);
        }
    }

    #[test]
    fn the_built_in_manifests_parse_and_name_a_checksum_a_source() {
        let all = list(Path::new("/nonexistent")).unwrap();
        assert_eq!(all.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["adult", "ml-100k", "open-bandit"]);
        for manifest in all {
            for source in &manifest.sources {
                let (Origin::Http { sha256, .. } | Origin::Pypi { sha256, .. }) = source;
                assert_eq!(sha256.len(), 64, "{}", manifest.name);
            }
        }
    }
}
