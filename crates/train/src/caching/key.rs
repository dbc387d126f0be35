//! What files of a cache are of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burnrec_data::split::Dataset;
use burnrec_data::{Side, SplitConfig, fingerprint};
use burnrec_features::{Cache, Encoder, Fitted, Purpose};
use xxhash_rust::xxh3::xxh3_64;

use crate::checked::Checked;

/// The form of the files: another one is not read.
const FORM: u32 = 2;

/// The folder of caches, beside the data.
const FOLDER: &str = ".burnrec-cache";

/// Files of a cache: where they stand, how they begin, and what they are of.
pub(super) struct Kept {
    folder: PathBuf,
    name: String,
    what: String,
}

impl Kept {
    /// What is kept of a side's data; none where nothing is asked for, or the data's files cannot be told from others.
    pub(super) fn of(checked: &Checked, dataset: &Dataset, side: Side) -> Option<Self> {
        // As it was resolved: side tables of a public data set stand in no experiment.
        let data = dataset.config()?;
        // Beside rows of other files, which are asked about once, nothing is left.
        if !checked.experiment().data.cache || dataset.is_whole() {
            return None;
        }
        let source = dataset.source(side).path().to_path_buf();
        let mut paths: Vec<PathBuf> = vec![source.clone(), dataset.source(Side::Train).path().to_path_buf()];
        paths.extend(data.join.iter().map(|join| PathBuf::from(&join.source)));
        if let SplitConfig::Files { valid, test } = &data.split {
            // A share of the training rows is no file.
            let files = [valid, test].into_iter().filter(|name| name.parse::<f64>().is_err());
            paths.extend(files.map(PathBuf::from));
        }
        let files = match fingerprint(paths.iter().map(PathBuf::as_path)) {
            Ok(files) => files,
            Err(error) => {
                tracing::warn!("data.cache: the data's files cannot be looked at ({error}); training goes on without");
                return None;
            }
        };
        let read = serde_json::to_string(data).ok()?;
        let merged = dataset.has_valid_in_train();
        let version = env!("CARGO_PKG_VERSION");
        let what = format!("{FORM} {version} {files:016x} {read} {merged}");
        let name = source.file_name().map_or_else(|| "data".into(), |name| name.to_string_lossy().into_owned());
        let beside = source.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(Self { folder: beside.join(FOLDER), name, what })
    }

    /// A file of a part, with the key of all that it is of: the data, and `more`.
    pub(super) fn file(&self, part: &str, more: &str, extension: &str) -> (PathBuf, String) {
        let what = format!("{} {part} {more}", self.what);
        let key = format!("{:016x}{:016x}", xxh3_64(what.as_bytes()), xxh3_64(format!("{what}.").as_bytes()));
        (self.folder.join(format!("{}-{part}-{}.{extension}", self.name, &key[..16])), key)
    }
}

/// The cache of a side's rows for a purpose; none where none is asked for, or the data's files cannot be told from others.
pub(crate) fn cache(
    checked: &Checked,
    encoder: &Encoder,
    dataset: &Dataset,
    side: Side,
    purpose: Purpose,
) -> Option<Cache> {
    let kept = Kept::of(checked, dataset, side)?;
    // All that says how a cell becomes a number; where it computes, and what is learned of it, does not count.
    let fitted = Fitted { curves: BTreeMap::new(), ..encoder.fitted().clone() };
    let fitted = serde_json::to_string(&fitted).ok()?;
    let (path, key) = kept.file(side.name(), &format!("{:?} {fitted} {purpose:?}", encoder.schema()), "arrow");
    Some(Cache { path, key })
}
