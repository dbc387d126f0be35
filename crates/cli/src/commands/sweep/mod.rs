//! `burnrec sweep`

mod table;
mod trial;

use std::path::{Path, PathBuf};

use burnrec_backend::Opened;
use burnrec_train::sweep::{Ledger, Tried, next, rows};
use burnrec_train::{Checked, RunFolder, Stop, SweepConfig, TrainError};

use self::trial::told;
use super::train::{Absent, checked};
use crate::args::{Overrides, SweepArgs};
use crate::error::CliError;
use crate::setup;

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
    let (file, checked) = checked(&args.config, &args.overrides, Absent::Made)?;
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
    check_space(&args.config, &args.overrides, &config)?;
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
    sweep.check_data(&ledger)?;
    while let Some(trial) = next(&sweep.config, &ledger.tried, sweep.checked.experiment().train.epochs, rises) {
        // A point that was tried comes to what it came to.
        let same = |t: &&Tried| (&t.at, t.rung, t.repeat) == (&trial.at, trial.rung, trial.repeat);
        if let Some(known) = ledger.tried.iter().find(same) {
            tracing::info!("trial {} is trial {} again", trial.trial, known.trial);
            let known = Tried { trial: trial.trial, seconds: 0.0, ..known.clone() };
            ledger.add(known)?;
            continue;
        }
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
    if rows.iter().all(|row| row.value.is_none() && row.reason.is_none()) {
        tracing::warn!(
            "no trial is ranked: {} is undefined on the validation rows of every one, or of tasks that they do not have",
            sweep.checked.monitor().name()
        );
    }
    if rows.iter().all(|row| row.value.is_none() && row.reason.is_some()) {
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
pub fn check_space(file: &Path, overrides: &Overrides, config: &SweepConfig) -> Result<(), CliError> {
    for (at, (key, range)) in config.space.iter().enumerate() {
        let points: Vec<f64> = match range.places() {
            Some(places) => (0..places).map(|at| at as f64).collect(),
            None => vec![0.0, 1.0],
        };
        for point in points {
            let sets = [overrides.set.clone(), told(config.changes(at, point))].concat();
            if let Err(error) = super::train::read(file, &Overrides { set: sets, ..overrides.clone() }, Absent::Refused)
            {
                let whole: Vec<f64> = (0..config.space.len()).map(|own| if own == at { point } else { 0.0 }).collect();
                let value = config.settings(&whole).swap_remove(at).1;
                return Err(CliError::Usage(format!("{}: sweep.space.{key}, at {value}: {error}", file.display())));
            }
        }
    }
    Ok(())
}
