//! A run of a sweep.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use burnrec_data::Side;
use burnrec_data::split::Dataset;
use burnrec_record::{Summary, Values};
use burnrec_train::sweep::{Ledger, Trial, Tried};
use burnrec_train::{Job, RunFolder, SavedModel, TrainError};

use super::super::saved::{check_fitted, own_rows};
use super::super::train::checked_alone;
use super::Sweep;
use crate::args::Overrides;
use crate::error::CliError;
use crate::progress::Progress;

/// Settings as `--set` takes them.
pub(super) fn told(settings: Vec<(String, toml::Value)>) -> Vec<String> {
    settings.into_iter().map(|(key, value)| format!("{key}={}", inline(&value))).collect()
}

/// A TOML value on one line.
fn inline(value: &toml::Value) -> String {
    match value {
        toml::Value::Table(table) => {
            let own: Vec<String> = table.iter().map(|(key, value)| format!("{key:?} = {}", inline(value))).collect();
            format!("{{ {} }}", own.join(", "))
        }
        toml::Value::Array(all) => format!("[{}]", all.iter().map(inline).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

impl Sweep<'_> {
    /// Makes one run; none where a signal stopped it.
    pub(super) fn try_one(&self, trial: &Trial) -> Result<Option<Tried>, CliError> {
        let start = Instant::now();
        let settings = self.config.settings(&trial.at);
        tracing::info!("trial {}{}: {}", trial.trial, of_rung(trial), told(settings.clone()).join(" "));
        let changes = trial.at.iter().enumerate().flat_map(|(place, at)| self.config.changes(place, *at));
        let mut sets = [self.args.overrides.set.clone(), told(changes.collect())].concat();
        sets.extend(self.seeds(trial));
        sets.extend(trial.epochs.map(|epochs| format!("train.epochs={epochs}")));
        let (metrics, reason) = match self.train(&Overrides { set: sets, ..self.args.overrides.clone() }, trial) {
            Ok((summary, _)) if summary.status == "interrupted" => return Ok(None),
            Ok((summary, tasks)) => (Some(by_task(summary.metrics, &tasks)), None),
            Err(error) if is_of_machine(&error) => return Err(error),
            Err(error) => {
                tracing::warn!("trial {} failed: {error}", trial.trial);
                (None, Some(error.to_string()))
            }
        };
        let metrics = metrics.unwrap_or_default();
        let judged = |values| self.checked.monitor().value_in(self.checked.tasks(), values);
        let as_json = |(key, value): (String, toml::Value)| (key, serde_json::to_value(value).unwrap_or_default());
        Ok(Some(Tried {
            trial: trial.trial,
            rung: trial.rung,
            repeat: trial.repeat,
            at: trial.at.clone(),
            settings: settings.into_iter().map(as_json).collect::<BTreeMap<_, _>>(),
            run: trial.folder(),
            value: metrics.get("valid").and_then(judged),
            metrics,
            seconds: start.elapsed().as_secs_f64(),
            reason,
        }))
    }

    /// Refuses to go on over rows that are not those of the runs before.
    pub(super) fn check_data(&self, ledger: &Ledger) -> Result<(), CliError> {
        let Some(latest) = ledger.tried.iter().rev().find(|tried| tried.reason.is_none()) else { return Ok(()) };
        let folder = self.folder.join(&latest.run);
        if !folder.exists() {
            return Ok(());
        }
        let saved = SavedModel::open(&folder, &self.opened)?;
        let dataset = own_rows(&saved, &self.args.overrides.data_dir)?;
        [Side::Train, Side::Valid].into_iter().try_for_each(|side| check_fitted(&saved, &dataset, side))
    }

    /// The seeds of a repeat.
    fn seeds(&self, trial: &Trial) -> Vec<String> {
        let experiment = self.checked.experiment();
        let (count, data) = (trial.repeat as u64, experiment.data.regression.as_ref());
        if self.config.repeats < 2 {
            return Vec::new();
        }
        let mut seeds = vec![format!("run.seed={}", experiment.run.seed.wrapping_add(count))];
        if let Some(data) = data.filter(|_| self.config.fresh_data) {
            seeds.push(format!("data.regression.seed={}", data.seed.wrapping_add(count)));
        }
        seeds
    }

    /// Trains a trial, or goes on where it stopped; what came of it, and the names of its tasks.
    fn train(&self, overrides: &Overrides, trial: &Trial) -> Result<(Summary, Vec<String>), CliError> {
        let (file, checked) = checked_alone(&self.args.config, overrides)?;
        let located = |e: CliError| file.locate(e);
        let folder = self.folder.join(trial.folder());
        let announce = |line: &str| tracing::info!("{line}");
        let (path, data) = burnrec_data::resolve(&self.args.overrides.data_dir, &checked.experiment().data, &announce)
            .map_err(|e| located(e.into()))?;
        let dataset = Dataset::open(&path, &data).map_err(|e| located(e.into()))?;
        let resume = RunFolder::is_begun(&folder);
        if !resume && folder.exists() {
            discard(&folder)?;
        }
        let tasks = checked.tasks().iter().map(|task| task.name.clone()).collect();
        let job = Job { checked, dataset, opened: self.opened.clone(), out: folder, resume, stop: self.stop.clone() };
        let summary = burnrec_train::train(job, &mut Progress::new(&self.opened)).map_err(|e| located(e.into()))?;
        Ok((summary, tasks))
    }
}

/// Metrics by their task, those of a single one too, since trials may have other tasks than each other.
fn by_task(metrics: BTreeMap<String, Values>, tasks: &[String]) -> BTreeMap<String, Values> {
    let [only] = tasks else { return metrics };
    let named = |(side, Values(own)): (String, Values)| {
        let table = serde_json::Map::from_iter([(only.clone(), serde_json::Value::Object(own))]);
        (side, Values(table))
    };
    metrics.into_iter().map(named).collect()
}

fn of_rung(trial: &Trial) -> String {
    let rung = trial.epochs.map_or(String::new(), |epochs| format!(", {epochs} epochs"));
    if trial.repeat > 0 { format!("{rung}, repeat {}", trial.repeat + 1) } else { rung }
}

/// What another trial would meet as well.
fn is_of_machine(error: &CliError) -> bool {
    match error {
        CliError::Device(_) | CliError::Disk { .. } | CliError::Output { .. } => true,
        CliError::Data(_) => true,
        // These hang on the settings that are tried.
        CliError::Train(TrainError::Diverged { .. } | TrainError::TooManyRejected { .. }) => false,
        CliError::Train(error) => error.is_environment(),
        _ => false,
    }
}

/// Takes away what a killed process left of a run that has nothing to go on from.
fn discard(folder: &Path) -> Result<(), CliError> {
    std::fs::remove_dir_all(folder)
        .map_err(|e| CliError::Disk { path: folder.display().to_string(), reason: e.to_string() })
}
