//! Runs that are opened again, and other rows read as a run's own were.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burnrec_data::split::Dataset;
use burnrec_data::{Column, DataConfig, DataError, ExplodeConfig, FormatKind, Side, Source, TextConfig};
use burnrec_features::Schema;
use burnrec_train::{RunFolder, SavedModel};

use crate::args::Place;
use crate::error::CliError;
use crate::setup;

/// A run, or the latest of a folder of runs.
pub fn latest(run: &Path) -> PathBuf {
    if RunFolder::is_begun(run) {
        return run.to_path_buf();
    }
    let entries = std::fs::read_dir(run).into_iter().flatten().flatten().map(|entry| entry.path());
    // One that was stopped before its first checkpoint has nothing to give.
    let saved = |path: &PathBuf| {
        let manifest = std::fs::read_to_string(path.join("checkpoints/manifest.json")).unwrap_or_default();
        RunFolder::is_started(path) && manifest.contains("\"latest\": \"step-")
    };
    let found = entries.filter(saved).max();
    if let Some(found) = &found {
        tracing::info!("{}: the latest run is {}", run.display(), found.display());
    }
    found.unwrap_or_else(|| run.to_path_buf())
}

/// Refuses the folder of a replay, whose ways are the runs.
pub fn refuse_replay(run: &Path) -> Result<(), CliError> {
    match run.join("windows.jsonl").is_file() && !run.join("checkpoints").exists() {
        true => Err(CliError::Usage(format!(
            "{}: is a replay, and its ways are the runs; name one of them, such as {}",
            run.display(),
            run.join("incremental").display()
        ))),
        false => Ok(()),
    }
}

/// Opens a run, or the latest of a folder of runs, on the device that the command line or the run names.
pub fn open(run: &Path, place: &Place) -> Result<SavedModel, CliError> {
    let run = &*latest(run);
    refuse_replay(run)?;
    let experiment = RunFolder::config(run)?;
    setup::threads(place.threads.or(experiment.backend.threads))?;
    let opened = setup::device_aside(place.device.unwrap_or(experiment.backend.device))?;
    Ok(SavedModel::open(run, &opened)?)
}

/// The rows that a run was trained on, as they are now.
pub fn own_rows(saved: &SavedModel, data_dir: &Path) -> Result<Dataset, CliError> {
    let mut own = saved.checked.experiment().data.clone();
    burnrec_data::place(data_dir, &mut own, &saved.folder);
    let (path, data) = burnrec_data::resolve(data_dir, &own, &|line| tracing::info!("{line}"))?;
    Ok(Dataset::open(&path, &data)?)
}

/// Refuses rows of a side that are not those of the training.
pub fn check_fitted(saved: &SavedModel, dataset: &Dataset, side: Side) -> Result<(), CliError> {
    match saved.encoder.is_as_fitted(dataset, side)? {
        true => Ok(()),
        false => Err(CliError::Usage(format!(
            "{}: the {} rows are not those that were there when {} was trained; train it again, or bring them back",
            dataset.source(side).path().display(),
            side.name(),
            saved.folder.display()
        ))),
    }
}

/// Rows of another file.
pub struct Other {
    /// As they are scored: in the order of time where the run sorts by it.
    pub rows: Dataset,
    /// As they stand in the file.
    pub written: Arc<dyn Source>,
    /// The names of the file's own columns.
    pub names: Vec<String>,
}

/// Other rows read as the run's own were: the same side tables, unless their columns are there already. Of `needed`, keys
/// that no line of a JSON file has are missing values. Of the run's data only side tables are read.
pub fn other_rows(input: &Path, saved: &SavedModel, data_dir: &Path, needed: &[String]) -> Result<Other, CliError> {
    let own = own_data(saved, data_dir)?;
    let mut plain = plain(input, &own);
    let as_written = DataConfig { explode: None, ..plain.clone() };
    let there = burnrec_data::open_to_score(input, &as_written, &[]).map(|s| s.columns().to_vec()).unwrap_or_default();
    plain.explode = plain.explode.and_then(|explode| explode_of(explode, &there));
    let asked = |plain: &DataConfig| burnrec_data::open_to_score(input, plain, &[]);
    let bare = match asked(&plain) {
        Err(error @ DataError::Ragged { .. }) => {
            without_labels(&mut plain, saved).ok_or(error)?;
            asked(&plain)?
        }
        bare => bare?,
    };
    let names: Vec<String> = bare.columns().iter().map(|c| c.name.clone()).collect();
    let (mut join, mut brought) = (Vec::new(), Vec::new());
    for table in own.join {
        let side = burnrec_data::open_path(Path::new(&table.source), &(&table).into())?;
        // A table whose columns the input has already is not joined again.
        if side.columns().iter().filter(|c| c.name != table.on).all(|c| !names.contains(&c.name)) {
            brought.extend(side.columns().iter().map(|c| c.name.clone()).filter(|name| *name != table.on));
            join.push(table);
        }
    }
    let history = own.history.map(|history| own_history(history, &names, input)).transpose()?.flatten();
    let sort_by = own.sort_by.filter(|column| names.contains(column));
    let mut needed: Vec<String> = needed.iter().filter(|name| !brought.contains(name)).cloned().collect();
    needed.extend(join.iter().map(|table| table.on.clone()));
    let data = DataConfig { join, history, sort_by, ..plain };
    let rows = burnrec_data::open_to_score(input, &data, &needed)?;
    // What is read in training alone need not be there.
    let unasked = saved.checked.experiment().model.unasked();
    let schema = saved.checked.schema();
    let places = (0..schema.categorical.len()).filter(|place| unasked.contains(&schema.categorical[*place].name));
    let unasked: Vec<String> = places.flat_map(|place| schema.columns_of(place)).cloned().collect();
    let absent: Vec<&String> = needed.iter().filter(|n| bare.column(n).is_err() && rows.column(n).is_ok()).collect();
    if !(needed.is_empty() || names.is_empty()) && absent.len() == needed.len() {
        let names = needed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let text =
            format!("{}: no line has any key that the model reads: {names}; is it the right file?", input.display());
        return Err(CliError::Usage(text));
    }
    for name in absent.iter().filter(|n| data.history.iter().all(|h| !h.columns.contains_key(**n))) {
        tracing::warn!("{}: no line has the key `{name}`; it is missing everywhere", input.display());
    }
    let written = match data.sort_by {
        // Histories need the order of time, which is not the file's.
        Some(_) => {
            let data = DataConfig { sort_by: None, history: None, ..data };
            burnrec_data::open_to_score(input, &data, &needed)?
        }
        None => rows.clone(),
    };
    Ok(Other { rows: Dataset::whole(burnrec_data::with_missing(rows, &unasked)), written, names })
}

/// A file without a header that has no columns for labels, as those that are to be scored.
fn without_labels(plain: &mut DataConfig, saved: &SavedModel) -> Option<()> {
    let labels: Vec<&String> = saved.checked.schema().targets.iter().map(|t| &t.column).collect();
    let names = plain.text.names.as_mut()?;
    let before = names.len();
    names.retain(|name| !labels.contains(&name));
    (names.len() < before).then_some(())
}

/// Says of a file which of its inputs have ids that were never learned from.
pub fn tell_unseen(input: &Path, schema: &Schema, strangers: &[(usize, u64)]) {
    for (field, ids) in strangers {
        tracing::warn!(
            "{}: all {ids} ids of field `{}` are unseen in training, so that they are scored as strangers; compare how they are written there and here (007 is another id than 7, unless ids = \"int\")",
            input.display(),
            schema.categorical[*field].name
        );
    }
}

/// How the run's own data is read, a public data set's as its manifest says.
pub fn own_data(saved: &SavedModel, data_dir: &Path) -> Result<DataConfig, CliError> {
    let announce = |line: &str| tracing::info!("{line}");
    let mut own = saved.checked.experiment().data.clone();
    burnrec_data::place(data_dir, &mut own, &saved.folder);
    Ok(match burnrec_data::find(data_dir, &own.source)? {
        Some(manifest) if !manifest.join.is_empty() => burnrec_data::resolve(data_dir, &own, &announce)?.1,
        _ => own,
    })
}

/// A file by itself, its text written as the run's own is.
pub fn plain(input: &Path, own: &DataConfig) -> DataConfig {
    let told = burnrec_data::kind_at(input);
    let kind = told.or(own.format);
    let text = matches!(kind, Some(FormatKind::Csv | FormatKind::Tsv));
    let own_kind = own.format.or_else(|| burnrec_data::kind_at(Path::new(&own.source)));
    // A delimiter and quotes belong to a format; names and missing values to the data.
    let same = own_kind == kind;
    let given = TextConfig {
        delimiter: own.text.delimiter.clone().filter(|_| same),
        quote: own.text.quote.clone().filter(|_| same),
        escape: own.text.escape.filter(|_| same),
        ..own.text.clone()
    };
    let mut plain = DataConfig {
        format: own.format.filter(|_| told.is_none()),
        text: if text { given } else { TextConfig::default() },
        ..DataConfig::of(input.display().to_string())
    };
    // A file of the format's own delimiter, as predict writes it, is read by that.
    let columns = |text: &TextConfig| {
        let headed = DataConfig { text: TextConfig { names: None, ..text.clone() }, ..plain.clone() };
        burnrec_data::open_to_score(input, &headed, &[]).map_or(0, |found| found.columns().len())
    };
    let usual = TextConfig { delimiter: None, quote: None, ..plain.text.clone() };
    if plain.text.delimiter.is_some() && columns(&plain.text) <= 1 && columns(&usual) > 1 {
        tracing::info!("{}: has the delimiter of its format, and not the run's own", input.display());
        plain.text = usual;
    }
    // A first line of names is one, also where the run's own data had none.
    let headed = TextConfig { names: None, ..plain.text.clone() };
    let names = plain.text.names.as_ref().filter(|names| {
        let headed = DataConfig { text: headed.clone(), ..plain.clone() };
        let found = burnrec_data::open_to_score(input, &headed, &[]);
        let known = |found: &Column| names.contains(&found.name);
        found.is_ok_and(|found| {
            let (named, all) = (found.columns().iter().filter(|c| known(c)).count(), found.columns().len());
            // A line with another number of cells is no row of the run's data.
            named >= names.len().min(2) || (named > 0 && all != names.len())
        })
    });
    if names.is_some() {
        plain.text = headed;
    }
    DataConfig {
        time_unit: own.time_unit,
        explode: own.explode.clone().map(|explode| ExplodeConfig { lenient: true, ..explode }),
        fields_by_index: own.fields_by_index.clone(),
        ..plain
    }
}

/// How rows to be scored are taken apart, that have these columns: not where they stand apart already, and without what
/// only an outcome gives.
fn explode_of(mut explode: ExplodeConfig, columns: &[Column]) -> Option<ExplodeConfig> {
    let has = |name: &String| columns.is_empty() || columns.iter().any(|c| c.name == *name);
    let apart = explode.into.as_ref().is_some_and(|into| has(&into[0]));
    if !has(&explode.column) && apart {
        return None;
    }
    explode.along.retain(has);
    Some(explode)
}

/// How histories of other rows are built: from those rows alone, in the order that they have, unless they hold them.
fn own_history(
    mut history: burnrec_data::HistoryConfig,
    names: &[String],
    input: &Path,
) -> Result<Option<burnrec_data::HistoryConfig>, CliError> {
    let (there, missing): (Vec<&String>, Vec<&String>) = history.columns.keys().partition(|c| names.contains(c));
    match (there.first(), missing.first()) {
        (_, None) => return Ok(None),
        (Some(there), Some(missing)) => {
            return Err(CliError::Usage(format!(
                "{}: has the history column `{there}` but not `{missing}`; give all columns of data.history, or none, so that they are built from the rows",
                input.display()
            )));
        }
        (None, Some(_)) => {}
    }
    tracing::warn!(
        "{}: histories start empty and are built from these rows alone; give them as columns ({}) where users did something before",
        input.display(),
        history.columns.keys().cloned().collect::<Vec<_>>().join(", ")
    );
    // Rows whose outcome is not known yet enter no history.
    if let Some(only) = history.only.as_mut().filter(|o| !names.contains(&o.column)) {
        (only.column, only.at_least) = (history.time.clone(), f64::INFINITY);
    }
    Ok(Some(history))
}
