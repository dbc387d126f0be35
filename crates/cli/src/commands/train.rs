//! `burnrec train`

use burnrec_data::{catalog, split::Dataset};
use burnrec_train::{Experiment, Job, Measured};

use crate::args::{Overrides, TrainArgs};
use crate::config_file::{self, ConfigFile};
use crate::error::CliError;
use crate::progress::Progress;
use crate::{out, setup};

/// Reads a config and lets the command line have the last word.
pub fn checked(config: &std::path::Path, overrides: &Overrides) -> Result<ConfigFile, CliError> {
    let mut file = config_file::load(config, &overrides.set)?;
    if let Some(device) = overrides.device {
        file.experiment.backend.device = device;
    }
    if overrides.threads.is_some() {
        file.experiment.backend.threads = overrides.threads;
    }
    if file.experiment.run.name == "run" {
        file.experiment.run.name = config.file_stem().and_then(|s| s.to_str()).unwrap_or("run").to_string();
    }
    check(&file.experiment).map_err(|e| file.locate(e))?;
    Ok(file)
}

/// Every check that needs no data.
pub fn check(experiment: &Experiment) -> Result<(), CliError> {
    let schema = burnrec_features::Schema::new(&experiment.features)?;
    experiment.model.check(&schema).map_err(burnrec_train::TrainError::from)?;
    for (key, optimizer) in experiment.model.optimizers() {
        let key = format!("model.{}.{key}", experiment.model.name());
        optimizer.check(&key).map_err(burnrec_train::TrainError::from)?;
    }
    experiment.train.check(&Measured::new(experiment, &schema))?;
    Ok(experiment.data.check()?)
}

/// Whether the runs that a new one starts from are there; one that goes on takes nothing from them.
pub fn check_pretrained(experiment: &Experiment) -> Result<(), CliError> {
    if let burnrec_models::ModelConfig::NeuMf(config) = &experiment.model
        && let Some(from) = &config.pretrained
    {
        for (key, run) in [("gmf", &from.gmf), ("mlp", &from.mlp)] {
            burnrec_train::RunFolder::config(std::path::Path::new(run)).map_err(|e| {
                burnrec_train::TrainError::Setting {
                    key: format!("model.neumf.pretrained.{key}"),
                    problem: e.to_string(),
                }
            })?;
        }
    }
    Ok(())
}

/// Trains.
pub fn run(args: &TrainArgs) -> Result<(), CliError> {
    let file = checked(&args.config, &args.overrides)?;
    let experiment = file.experiment.clone();
    setup::threads(experiment.backend.threads)?;
    let folder = setup::run_folder(&experiment, args.out.as_deref(), args.resume)?;
    if !args.resume && burnrec_train::RunFolder::is_started(&folder) {
        return Err(burnrec_train::TrainError::FolderExists { path: folder }.into());
    }
    if !burnrec_train::RunFolder::is_started(&folder) {
        check_pretrained(&experiment).map_err(|e| file.locate(e))?;
    }
    setup::probe_folder(&folder, "--out")?;
    let opened = setup::device(experiment.backend.device)?;
    let announce = |line: &str| tracing::info!("{line}");
    let located = |e: CliError| file.locate(e);
    let (path, data) =
        catalog::resolve(&args.overrides.data_dir, &experiment.data, &announce).map_err(|e| located(e.into()))?;
    let dataset = Dataset::open(&path, &data).map_err(|e| located(e.into()))?;
    let job =
        Job { experiment, dataset, opened, out: folder.clone(), resume: args.resume, stop: setup::stop_on_signals() };
    let summary = burnrec_train::train(job, &mut Progress::new(Progress::is_json())).map_err(|e| located(e.into()))?;
    let rows = summary.metrics.iter().map(|(side, m)| (side.to_string(), m));
    let baselines = summary.baselines.iter().map(|(side, m)| (format!("{side} by popularity"), &m["popularity"]));
    for (side, metrics) in rows.chain(baselines) {
        let show = |(name, value): (&String, &serde_json::Value)| match value.as_f64() {
            Some(x) => format!("{name} {x:.4}"),
            None => format!("{name} undefined"),
        };
        let values: Vec<String> = metrics.as_object().into_iter().flatten().map(show).collect();
        out::line(&format!("{side:<5}  {}", values.join("  ")))?;
    }
    out::line(&format!(
        "{}: {} rows/s on {}, {} epochs, best {}\nrun folder {}",
        summary.status,
        summary.throughput.rows_per_second as u64,
        summary.device.kind,
        summary.epochs,
        summary.best_epoch,
        folder.display()
    ))
}
