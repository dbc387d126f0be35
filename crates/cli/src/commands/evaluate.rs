//! `burnrec evaluate`

use std::path::Path;

use burnrec_data::split::Dataset;
use burnrec_data::{DataConfig, Side, SplitConfig, catalog};
use burnrec_train::metrics::{Metrics, compute};
use burnrec_train::{Experiment, SavedModel, Stop, TrainError, evaluate};

use crate::args::{EvaluateArgs, Place};
use crate::error::CliError;
use crate::progress::in_a_line;
use crate::{out, setup};

/// Opens a run on the device that the command line or the run names.
pub fn open(run: &Path, place: &Place) -> Result<SavedModel, CliError> {
    let experiment = burnrec_train::RunFolder::config(run)?;
    setup::threads(place.threads.or(experiment.backend.threads))?;
    let opened = setup::device(place.device.unwrap_or(experiment.backend.device))?;
    Ok(SavedModel::open(run, &opened.device)?)
}

/// Other rows read as the run's own were: the same side tables, unless their columns are there already.
pub fn other_rows(input: &Path, experiment: &Experiment, data_dir: &Path) -> Result<Dataset, CliError> {
    let announce = |line: &str| tracing::info!("{line}");
    let (_, own) = catalog::resolve(data_dir, &experiment.data, &announce)?;
    let kind = burnrec_data::FormatKind::of_path(input);
    let same = own.format.is_some() && kind.is_none();
    let plain = DataConfig {
        source: input.display().to_string(),
        format: if same { own.format } else { None },
        text: if same || burnrec_data::FormatKind::of_path(Path::new(&own.source)) == kind {
            own.text.clone()
        } else {
            Default::default()
        },
        sort_by: None,
        join: Vec::new(),
        split: SplitConfig::default(),
        synthetic: None,
    };
    let bare = burnrec_data::open(input, &plain)?;
    let has = |name: &String| bare.columns().iter().any(|c| c.name == *name);
    let needed = |join: &burnrec_data::JoinConfig| -> bool {
        let side = burnrec_data::open_path(Path::new(&join.source), join.format, &join.text);
        side.is_ok_and(|s| s.columns().iter().filter(|c| c.name != join.on).all(|c| !has(&c.name)))
    };
    let join = own.join.into_iter().filter(needed).collect();
    Ok(Dataset::whole(burnrec_data::open(input, &DataConfig { join, ..plain })?))
}

/// Evaluates.
pub fn run(args: &EvaluateArgs) -> Result<(), CliError> {
    let mut saved = open(&args.run, &args.place)?;
    let side = match args.split.as_str() {
        "train" => Side::Train,
        "valid" => Side::Valid,
        _ => Side::Test,
    };
    let (dataset, side) = match &args.input {
        Some(input) => (other_rows(input, &saved.experiment, &args.place.data_dir)?, Side::Train),
        None => {
            let (path, data) =
                catalog::resolve(&args.place.data_dir, &saved.experiment.data, &|line| tracing::info!("{line}"))?;
            (Dataset::open(&path, &data)?, side)
        }
    };
    let metrics = measure(&mut saved, &dataset, side)?;
    match args.json {
        true => out::json(&serde_json::json!({ "metrics": metrics.values(), "undefined": metrics.undefined() })),
        false => out::line(&in_a_line(&metrics)),
    }
}

fn measure(saved: &mut SavedModel, dataset: &Dataset, side: Side) -> Result<Metrics, CliError> {
    let encoder = saved.encoder.clone();
    let schema = encoder.schema();
    schema.check_columns(&**dataset.source(side), true)?;
    let names = saved.experiment.train.metric_names(schema.label.is_binary(), schema.group.is_some())?;
    let rows = dataset.stream(side, &schema.columns(true))?;
    let scored = evaluate(&mut saved.learner, rows, dataset.source(side), &encoder, true, &Stop::default())?;
    if scored.scores.is_empty() {
        return Err(TrainError::Feature(burnrec_features::FeatureError::NoRows { side: side.name() }).into());
    }
    Ok(compute(&names, &scored))
}
