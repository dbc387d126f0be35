//! Runs that are opened again, and other rows read as a run's own were.

use std::path::Path;

use burnrec_data::DataConfig;
use burnrec_data::split::Dataset;
use burnrec_train::{Experiment, RunFolder, SavedModel};

use crate::args::Place;
use crate::error::CliError;
use crate::setup;

/// Opens a run on the device that the command line or the run names.
pub fn open(run: &Path, place: &Place) -> Result<SavedModel, CliError> {
    let experiment = RunFolder::config(run)?;
    setup::threads(place.threads.or(experiment.backend.threads))?;
    let opened = setup::device(place.device.unwrap_or(experiment.backend.device))?;
    Ok(SavedModel::open(run, &opened)?)
}

/// Other rows read as the run's own were: the same side tables, unless their columns are there already.
///
/// Returns the rows and the names of the input's own columns. Of the run's data only side tables are read.
pub fn other_rows(input: &Path, experiment: &Experiment, data_dir: &Path) -> Result<(Dataset, Vec<String>), CliError> {
    let own = own_data(experiment, data_dir)?;
    let plain = plain(input, &own);
    let bare = burnrec_data::open(input, &plain)?;
    let names: Vec<String> = bare.columns().iter().map(|c| c.name.clone()).collect();
    let mut join = Vec::new();
    for table in own.join {
        let side = burnrec_data::open_path(Path::new(&table.source), table.format, &table.text)?;
        // A table whose columns the input has already is not joined again.
        if side.columns().iter().filter(|c| c.name != table.on).all(|c| !names.contains(&c.name)) {
            join.push(table);
        }
    }
    let history = own.history.map(|history| own_history(history, &names, input)).transpose()?.flatten();
    let rows = burnrec_data::open(input, &DataConfig { join, history, ..plain })?;
    Ok((Dataset::whole(rows), names))
}

/// How the run's own data is read, a public data set's as its manifest says.
pub fn own_data(experiment: &Experiment, data_dir: &Path) -> Result<DataConfig, CliError> {
    let announce = |line: &str| tracing::info!("{line}");
    Ok(match burnrec_data::find(data_dir, &experiment.data.source)? {
        Some(manifest) if !manifest.join.is_empty() => burnrec_data::resolve(data_dir, &experiment.data, &announce)?.1,
        _ => experiment.data.clone(),
    })
}

/// A file by itself, its text written as the run's own is where it is of that kind.
pub fn plain(input: &Path, own: &DataConfig) -> DataConfig {
    let kind = burnrec_data::FormatKind::of_path(input);
    let same = own.format.is_some() && kind.is_none();
    let alike = same || burnrec_data::FormatKind::of_path(Path::new(&own.source)) == kind;
    DataConfig {
        format: if same { own.format } else { None },
        text: if alike { own.text.clone() } else { Default::default() },
        ..DataConfig::of(input.display().to_string())
    }
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
