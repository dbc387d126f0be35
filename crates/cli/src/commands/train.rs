//! `burnrec train`

use burnrec_data::split::Dataset;
use burnrec_models::StartRule;
use burnrec_record::{Summary, Values, counted};
use burnrec_train::{Checked, Experiment, Job, LossKind, RunFolder, TrainError};

use crate::args::{Overrides, TrainArgs};
use crate::config_file::{self, ConfigFile, FileKind};
use crate::error::CliError;
use crate::progress::Progress;
use crate::reading::Reading;
use crate::{out, setup};

/// Data that is not there yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// Is fetched or generated where the columns have to be known.
    Made,
    /// Is an error where the columns have to be known.
    Refused,
}

/// Reads a config, lets the command line have the last word, and checks it.
pub fn checked(
    config: &std::path::Path,
    overrides: &Overrides,
    absent: Absent,
) -> Result<(ConfigFile, Checked), CliError> {
    let (file, experiment) = read(config, overrides, absent)?;
    let checked = experiment.check().map_err(|e| file.locate(e.into()))?;
    Ok((file, checked))
}

/// The same as a trial of its sweep: nothing else is tried by it.
pub fn checked_alone(config: &std::path::Path, overrides: &Overrides) -> Result<(ConfigFile, Checked), CliError> {
    let (file, experiment) = read(config, overrides, Absent::Made)?;
    let checked = Experiment { sweep: None, ..experiment }.check().map_err(|e| file.locate(e.into()))?;
    Ok((file, checked))
}

/// Reads a config, not checked yet.
pub fn read(
    config: &std::path::Path,
    overrides: &Overrides,
    absent: Absent,
) -> Result<(ConfigFile, Experiment), CliError> {
    let command = match config_file::kind(config) {
        FileKind::Experiment => None,
        FileKind::Simulation => Some("simulate"),
        FileKind::Evaluation => Some("ope"),
        FileKind::Fusion => Some("fuse"),
    };
    if let Some(command) = command {
        let text = format!("{} is no experiment; run it by `burnrec {command}`", config.display());
        return Err(CliError::Usage(text));
    }
    let (file, mut experiment): (ConfigFile, Experiment) = config_file::load(config, &overrides.set)?;
    if let Some(device) = overrides.device {
        experiment.backend.device = device;
    }
    if let Some(threads) = overrides.threads {
        setup::check_threads(threads)?;
        experiment.backend.threads = Some(threads);
    }
    if experiment.run.name == "run" {
        experiment.run.name = config.file_stem().and_then(|s| s.to_str()).unwrap_or("run").to_string();
    }
    let beside = config.parent().unwrap_or(std::path::Path::new(""));
    burnrec_data::place(&overrides.data_dir, &mut experiment.data, beside);
    if experiment.features.wildcards().next().is_some() {
        experiment = spelled_out(experiment, &overrides.data_dir, absent).map_err(|e| file.locate(e))?;
    }
    Ok((file, experiment))
}

/// With a field for each column that names such as `C*` stand for.
fn spelled_out(experiment: Experiment, root: &std::path::Path, absent: Absent) -> Result<Experiment, CliError> {
    let config = &experiment.data;
    if absent == Absent::Refused && !burnrec_data::is_there(root, config)? {
        let names = experiment.features.wildcards().collect::<Vec<_>>().join("`, `");
        return Err(CliError::Usage(format!(
            "`{names}` stands for columns of `{}`, which is not here yet; `train` makes it, and `burnrec data fetch` a public data set",
            config.source
        )));
    }
    let (path, data) = burnrec_data::resolve(root, config, &|line| tracing::info!("{line}"))?;
    let source = burnrec_data::open(&path, &data)?;
    let columns: Vec<&str> = source.columns().iter().map(|column| column.name.as_str()).collect();
    Ok(experiment.among(&columns)?)
}

/// Whether the runs that a new one starts from are there; one that goes on takes nothing from them.
pub fn check_starts(checked: &Checked) -> Result<(), CliError> {
    let model = &checked.experiment().model;
    model.starts().iter().try_for_each(|StartRule { run, key, .. }| match RunFolder::config(run.as_ref()) {
        Ok(_) => Ok(()),
        Err(e) => {
            Err(TrainError::Setting { key: format!("model.{}.{key}", model.name()), problem: e.to_string() }.into())
        }
    })
}

/// Trains.
pub fn run(args: &TrainArgs) -> Result<(), CliError> {
    let (file, checked) = checked(&args.config, &args.overrides, Absent::Made)?;
    let experiment = checked.experiment();
    setup::threads(experiment.backend.threads)?;
    let folder = setup::run_folder(&experiment.run, args.out.as_deref(), args.resume)?;
    if !args.resume && RunFolder::is_started(&folder) {
        return Err(TrainError::FolderExists { path: folder }.into());
    }
    if !RunFolder::is_started(&folder) {
        check_starts(&checked).map_err(|e| file.locate(e))?;
    }
    setup::probe_folder(&folder, "--out")?;
    let opened = setup::device(experiment.backend.device)?;
    let announce = |line: &str| tracing::info!("{line}");
    let located = |e: CliError| file.locate(e);
    let (path, data) =
        burnrec_data::resolve(&args.overrides.data_dir, &experiment.data, &announce).map_err(|e| located(e.into()))?;
    let reading = Reading::new("reading the data");
    let dataset = Dataset::open(&path, &data).map_err(|e| located(e.into()))?;
    drop(reading);
    let refits = experiment.train.refit;
    let cross_entropy = checked.tasks().len() == 1 && checked.tasks()[0].loss == LossKind::Bce;
    let mut progress = Progress::new(&opened);
    let job =
        Job { checked, dataset, opened, out: folder.clone(), resume: args.resume, stop: setup::stop_on_signals() };
    let summary = burnrec_train::train(job, &mut progress).map_err(|e| located(e.into()))?;
    print(&summary)?;
    if summary.status == "completed" && !refits && summary.epochs > 1 && summary.best_epoch == summary.epochs {
        tracing::warn!(
            "the best epoch was the last of {}: more may be better; raise train.epochs, or the learning rates",
            summary.epochs
        );
    }
    if summary.status != "interrupted" && summary.best_epoch == 1 && summary.epochs > 2 {
        tracing::warn!(
            "validation was best after the first epoch of {}: later epochs overfit; lower the learning rates, or raise l2 or dropout",
            summary.epochs
        );
    }
    if let Some(text) = gap(summary.best_epoch, progress.latest()).filter(|_| cross_entropy) {
        tracing::warn!("{text}");
    }
    super::report::of_run(&folder);
    out::line(&format!("run folder {}", folder.display()))
}

/// Below this share of the log-loss of validation the loss of training tells of rows that were learned by heart.
const GAP: f64 = 0.75;

/// What is said where the last epoch knew its own rows far better than others; one that was best after the first epoch was told so.
fn gap(best_epoch: usize, latest: Option<(f64, f64)>) -> Option<String> {
    let (train, valid) = latest.filter(|(train, valid)| best_epoch != 1 && *train < GAP * *valid)?;
    Some(format!(
        "the last epoch has a loss of {train:.3} on its own rows and of {valid:.3} in validation: it learned rows by heart; raise l2, min_count or dropout, or use fewer epochs"
    ))
}

fn print(summary: &Summary) -> Result<(), CliError> {
    let rows = summary.metrics.iter().map(|(side, m)| (side.clone(), m));
    let by = |(side, all): (&String, _)| {
        let all: &std::collections::BTreeMap<String, Values> = all;
        all.iter().map(|(name, m)| (format!("{side} by {name}"), m)).collect::<Vec<_>>()
    };
    let baselines = summary.baselines.iter().flat_map(by);
    for (side, metrics) in rows.chain(baselines) {
        let show = |(name, value): (String, Option<f64>)| match value {
            Some(x) => format!("{name} {x:.4}"),
            None => format!("{name} undefined"),
        };
        let values: Vec<String> = metrics.flat().into_iter().map(show).collect();
        out::line(&format!("{side:<5}  {}", values.join("  ")))?;
    }
    out::line(&format!(
        "{}: {:.1} s, {} rows/s on {}, {}, best {}",
        summary.status,
        summary.seconds.values().sum::<f64>(),
        summary.throughput.rows_per_second as u64,
        summary.device.kind,
        counted(summary.epochs as u64, "epoch"),
        summary.best_epoch
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_between_training_and_validation_is_told_once() {
        assert!(gap(3, Some((0.2, 0.5))).unwrap().contains("0.200 on its own rows"));
        assert!(gap(1, Some((0.2, 0.5))).is_none() && gap(3, Some((0.45, 0.5))).is_none() && gap(3, None).is_none());
    }
}
