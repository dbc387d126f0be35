//! `burnrec sweep`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burnrec_backend::Opened;
use burnrec_data::split::Dataset;
use burnrec_record::Summary;
use burnrec_train::sweep::{Ledger, Row, Trial, Tried, next, rows};
use burnrec_train::{Checked, Job, RunFolder, Stop, SweepConfig, SweepRange, TrainError};

use super::train::{checked, checked_alone};
use crate::args::{Overrides, SweepArgs};
use crate::error::CliError;
use crate::progress::Progress;
use crate::{out, setup};

/// A sweep under way.
struct Sweep<'a> {
    args: &'a SweepArgs,
    checked: Checked,
    config: SweepConfig,
    folder: PathBuf,
    opened: Opened,
    stop: Stop,
}

/// Trains every trial, one after the other: each has the whole machine.
pub fn run(args: &SweepArgs) -> Result<(), CliError> {
    let (file, checked) = checked(&args.config, &args.overrides)?;
    let experiment = checked.experiment();
    let Some(config) = experiment.sweep.clone() else {
        let text = format!("{} has no [sweep]; say there which settings to try: [sweep.space]", args.config.display());
        return Err(CliError::Usage(text));
    };
    setup::threads(experiment.backend.threads)?;
    let folder = setup::run_folder(&experiment.run, args.out.as_deref(), false)?;
    if args.resume && !Ledger::is_in(&folder) {
        RunFolder::check_free(&folder)?;
    }
    check_space(args, &config)?;
    if config.fresh_data && experiment.data.regression.is_none() {
        let problem = "is of generated rows, and data.source is none of them; remove it".to_string();
        return Err(file.locate(TrainError::Setting { key: "sweep.fresh_data".into(), problem }.into()));
    }
    if !args.resume {
        if Ledger::is_in(&folder) {
            let text = format!("{} holds a sweep; continue it with --resume, or take another --out", folder.display());
            return Err(CliError::Usage(text));
        }
        RunFolder::check_free(&folder)?;
    }
    setup::probe_folder(&folder, "--out")?;
    let opened = setup::device(experiment.backend.device)?;
    let text = toml::to_string(experiment).unwrap_or_default();
    let mut ledger = Ledger::open(&folder, &text, &config).map_err(|e| file.locate(e.into()))?;
    let rises = checked.monitor().rises();
    let sweep = Sweep { args, config, folder, opened, stop: setup::stop_on_signals(), checked };
    while let Some(trial) = next(&sweep.config, &ledger.tried, sweep.checked.experiment().train.epochs, rises) {
        match sweep.try_one(&trial)? {
            Some(tried) => ledger.add(tried)?,
            None => {
                sweep.print(&rows(&sweep.config, &ledger.tried, rises))?;
                tracing::warn!(
                    "interrupted: {} runs made; continue with --resume --out {}",
                    ledger.tried.len(),
                    sweep.folder.display()
                );
                return Ok(());
            }
        }
        sweep.write(&rows(&sweep.config, &ledger.tried, rises))?;
    }
    let rows = rows(&sweep.config, &ledger.tried, rises);
    sweep.write(&rows)?;
    sweep.print(&rows)?;
    if rows.iter().all(|row| row.value.is_none()) {
        let first = rows.iter().find_map(|row| row.reason.clone()).unwrap_or_default();
        return Err(TrainError::Setting {
            key: "sweep".into(),
            problem: format!("no trial came to anything: {first}"),
        }
        .into());
    }
    Ok(())
}

/// Refuses keys and values of the space that are no settings; what cannot go together is a trial that fails.
pub fn check_space(args: &SweepArgs, config: &SweepConfig) -> Result<(), CliError> {
    for (at, (key, range)) in config.space.iter().enumerate() {
        let points: Vec<f64> = match range {
            SweepRange::Values { values } => (0..values.len()).map(|at| at as f64).collect(),
            SweepRange::Between { .. } => vec![0.0, 1.0],
        };
        for point in points {
            let whole: Vec<f64> = (0..config.space.len()).map(|own| if own == at { point } else { 0.0 }).collect();
            let (_, value) = config.settings(&whole).swap_remove(at);
            let sets = [args.overrides.set.clone(), vec![format!("{key}={}", inline(&value))]].concat();
            if let Err(error) = super::train::read(&args.config, &Overrides { set: sets, ..args.overrides.clone() }) {
                return Err(CliError::Usage(format!("sweep.space.{key}: {error}")));
            }
        }
    }
    Ok(())
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
    fn try_one(&self, trial: &Trial) -> Result<Option<Tried>, CliError> {
        let start = Instant::now();
        let settings = self.config.settings(&trial.at);
        let told: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={}", inline(value))).collect();
        tracing::info!("trial {}{}: {}", trial.trial, of_rung(trial), told.join(" "));
        let mut sets = [self.args.overrides.set.clone(), told].concat();
        sets.extend(self.seeds(trial));
        sets.extend(trial.epochs.map(|epochs| format!("train.epochs={epochs}")));
        let (summary, reason) = match self.train(&Overrides { set: sets, ..self.args.overrides.clone() }, trial) {
            Ok(summary) if summary.status == "interrupted" => return Ok(None),
            Ok(summary) => (Some(summary), None),
            Err(error) if is_of_machine(&error) => return Err(error),
            Err(error) => {
                tracing::warn!("trial {} failed: {error}", trial.trial);
                (None, Some(error.to_string()))
            }
        };
        let metrics = summary.as_ref().map(|s| s.metrics.clone()).unwrap_or_default();
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

    /// Trains a trial, or goes on where it stopped.
    fn train(&self, overrides: &Overrides, trial: &Trial) -> Result<Summary, CliError> {
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
        let job = Job { checked, dataset, opened: self.opened.clone(), out: folder, resume, stop: self.stop.clone() };
        burnrec_train::train(job, &mut Progress::new(Progress::is_json())).map_err(|e| located(e.into()))
    }

    /// Writes the table for the report.
    fn write(&self, rows: &[Row]) -> Result<(), CliError> {
        let path = self.folder.join("sweep.json");
        let text = serde_json::json!({
            "monitor": self.checked.monitor().name(),
            "rises": self.checked.monitor().rises(),
            "pareto": self.config.pareto,
            "trials": rows,
        });
        let temporary = self.folder.join(".tmp-sweep.json");
        let written =
            std::fs::write(&temporary, format!("{text:#}\n")).and_then(|()| std::fs::rename(&temporary, &path));
        written.map_err(|e| CliError::Disk { path: path.display().to_string(), reason: e.to_string() })
    }

    fn print(&self, rows: &[Row]) -> Result<(), CliError> {
        if self.args.json {
            return out::json(&rows);
        }
        let keys: Vec<&String> = self.config.space.keys().collect();
        let names: Vec<&String> = rows.first().map(|row| row.metrics.keys().collect()).unwrap_or_default();
        let mut heads: Vec<String> = vec!["trial".into()];
        heads.extend(keys.iter().map(|key| (*key).clone()));
        heads.push(self.checked.monitor().name().to_string());
        heads.extend(names.iter().map(|name| (*name).clone()));
        let mut table = vec![heads];
        for row in rows {
            let show = |mean: Option<burnrec_train::sweep::Mean>| match mean {
                Some(m) => m.plus_minus.map_or(format!("{:.5}", m.mean), |half| format!("{:.5} ± {half:.5}", m.mean)),
                None => "failed".into(),
            };
            let mut cells = vec![format!("{}{}", row.trial, if row.front == Some(true) { " *" } else { "" })];
            cells.extend(keys.iter().map(|key| row.settings.get(*key).map_or(String::new(), ToString::to_string)));
            cells.push(show(row.value));
            cells.extend(names.iter().map(|name| row.metrics[*name].map_or("-".into(), |m| show(Some(m)))));
            table.push(cells);
        }
        out::table(&table)?;
        if let Some([a, b]) = &self.config.pareto {
            out::line(&format!("* on the Pareto front of {a} and {b}"))?;
        }
        for row in rows.iter().filter(|row| row.value.is_none()) {
            if let Some(reason) = &row.reason {
                out::line(&format!("trial {} failed: {reason}", row.trial))?;
            }
        }
        match rows.first().filter(|row| row.value.is_some()) {
            Some(best) => out::line(&format!("best: trial {}, {}", best.trial, best.runs.join(", "))),
            None => Ok(()),
        }
    }
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
        CliError::Train(error) => error.is_environment(),
        _ => false,
    }
}

/// Takes away what a killed process left of a run that has nothing to go on from.
fn discard(folder: &Path) -> Result<(), CliError> {
    std::fs::remove_dir_all(folder)
        .map_err(|e| CliError::Disk { path: folder.display().to_string(), reason: e.to_string() })
}
