//! Deltas taken in by a copy.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burnrec_train::TrainError;

use super::files::{Manifest, STATE, begin, copy_plain, discard, finish, recover};
use super::rows::{Rows, tables_of};
use super::{PLAIN, TREES};

fn refused(problem: String) -> TrainError {
    TrainError::Setting { key: "apply".into(), problem }
}

/// Takes the exports of a folder that a copy does not have yet in, one after another; or one export, where its own folder is
/// named. Returns the copy's place in the sequence, and how many were taken in.
///
/// # Errors
/// Exports that are not the next ones, of another model, or not as they were written; a copy that was changed.
pub fn apply(exports: &Path, copy: &Path) -> Result<(u64, u64), TrainError> {
    if exports.is_file() {
        return Err(refused(format!("{} is a file; name the folder that export --deltas writes", exports.display())));
    }
    let all = match Manifest::read(exports)? {
        Some(only) => BTreeMap::from([(only.sequence, exports.to_path_buf())]),
        None => sequence(exports)?,
    };
    let alone = all.len() == 1 && all.values().next().is_some_and(|path| path == exports);
    recover(copy)?;
    let own = Manifest::read(&copy.join(STATE))?;
    own.as_ref().map_or(Ok(()), |own| own.check(&copy.join(STATE)))?;
    let mut at = own.map(|own| own.sequence);
    let mut taken = 0;
    for (number, path) in all {
        let wanted = at.map_or(0, |at| at + 1);
        if !alone && at.is_some_and(|at| number <= at) {
            continue;
        }
        if number != wanted {
            let stands = at.map_or("is empty".to_string(), |at| format!("stands at {at}"));
            let what = match number < wanted {
                true => "it was taken in before".to_string(),
                false if number == wanted + 1 => format!("export {wanted} is missing"),
                false => format!("exports {wanted} to {} are missing", number - 1),
            };
            return Err(refused(format!(
                "{} is export {number}, and {} {stands}: {what}",
                path.display(),
                copy.display()
            )));
        }
        take_in(&path, copy)?;
        (at, taken) = (Some(number), taken + 1);
    }
    at.map(|at| (at, taken)).ok_or_else(|| refused(format!("{} holds no exports", exports.display())))
}

/// The exports of a folder by their numbers.
pub(super) fn sequence(folder: &Path) -> Result<BTreeMap<u64, PathBuf>, TrainError> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries.map_err(TrainError::io(folder))?.flatten(),
    };
    let mut all = BTreeMap::new();
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if (name.ends_with("-full") || name.ends_with("-delta"))
            && let Some(manifest) = Manifest::read(&path)?
        {
            all.insert(manifest.sequence, path);
        }
    }
    Ok(all)
}

pub(super) fn take_in(export: &Path, copy: &Path) -> Result<(), TrainError> {
    let Some(manifest) = Manifest::read(export)? else {
        return Err(refused(format!("{} is no export", export.display())));
    };
    manifest.check(export)?;
    let state = copy.join(STATE);
    if let Some(own) = Manifest::read(&state)? {
        own.check(&state)?;
        // What did not change in an export must be in the copy as it was before it.
        let other = manifest.versions.iter().find(|(part, version)| {
            !manifest.full && **version < manifest.sequence && own.versions.get(*part).is_some_and(|v| v != *version)
        });
        if let Some((part, version)) = other {
            return Err(refused(format!(
                "{} goes with version {version} of `{part}`, and {} has {}; start the copy anew",
                export.display(),
                copy.display(),
                own.versions[part]
            )));
        }
        if !manifest.full && own.makes != manifest.follows {
            return Err(refused(format!(
                "{} follows another export {} than the one that {} took in; start the copy anew",
                export.display(),
                own.sequence,
                copy.display()
            )));
        }
        if own.model != manifest.model {
            return Err(refused(format!("{} is of another model than {}", export.display(), copy.display())));
        }
    }
    let next = begin(copy, STATE)?;
    for table in tables_of(export)? {
        let mut rows = match manifest.full {
            true => Rows::default(),
            false => Rows::read(&state.join("tables").join(&table))?,
        };
        let gone = Rows::read(&export.join("removed").join(&table))?;
        rows.change(Rows::read(&export.join("tables").join(&table))?, &gone);
        rows.write(&next.join("tables").join(&table))?;
    }
    let trees = export.join(TREES).is_file().then_some(TREES);
    for plain in PLAIN.map(|(_, name)| name).into_iter().chain(trees) {
        copy_plain(&export.join(plain), &state.join(plain), &[&next])?;
    }
    let whole = Manifest { full: true, files: BTreeMap::new(), ..manifest.clone() }.of_files(&next, None)?;
    if whole.makes != manifest.makes {
        discard(&[&next]);
        return Err(refused(format!(
            "{} does not fit {}: together they make {}, and should make {}; start the copy anew from a full export",
            export.display(),
            copy.display(),
            &whole.makes[..12],
            manifest.makes.get(..12).unwrap_or_default()
        )));
    }
    whole.write(&next)?;
    finish(&next, &state)
}
