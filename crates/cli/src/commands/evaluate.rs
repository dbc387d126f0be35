//! `burnrec evaluate`

use burnrec_data::Side;
use burnrec_data::split::Dataset;
use burnrec_train::measure;
use burnrec_train::metrics::Protocol;

use super::saved::{open, other_rows, tell_unseen};
use crate::args::EvaluateArgs;
use crate::error::CliError;
use crate::out;
use crate::progress::in_a_line;
use crate::reading::Reading;

/// Evaluates.
pub fn run(args: &EvaluateArgs) -> Result<(), CliError> {
    let saved = open(&args.run, &args.place)?;
    let checked = &saved.checked;
    let side = match args.split.as_str() {
        "train" => Side::Train,
        "valid" => Side::Valid,
        _ => Side::Test,
    };
    let (dataset, side) = match &args.input {
        Some(input) if checked.protocol() == Protocol::Retrieval => {
            return Err(CliError::Usage(format!(
                "--input {}: this model is measured by the items that its own users liked later; use --split valid or test",
                input.display()
            )));
        }
        Some(input) => {
            let needed = checked.schema().columns(false);
            (other_rows(input, &saved, &args.place.data_dir, &needed)?.rows, Side::Train)
        }
        None if checked.experiment().schedule.is_some() => {
            return Err(CliError::Usage(format!(
                "{}: was trained over windows of time, and has no sides; give rows with --input",
                args.run.display()
            )));
        }
        None => {
            let mut own = checked.experiment().data.clone();
            burnrec_data::place(&args.place.data_dir, &mut own, &saved.folder);
            let (path, data) = burnrec_data::resolve(&args.place.data_dir, &own, &|line| tracing::info!("{line}"))?;
            let dataset = Dataset::open(&path, &data)?;
            // What such a run learned from is what it is measured by.
            let merged = checked.experiment().train.refit;
            if merged && side == Side::Valid {
                return Err(CliError::Usage(format!(
                    "--split valid: the run learned from those rows too (train.refit); the run of before is {}",
                    args.run.join("search").display()
                )));
            }
            (if merged { dataset.with_valid_in_train()? } else { dataset }, side)
        }
    };
    checked.schema().check_columns(&**dataset.source(side), true)?;
    let rows = if args.input.is_some() { "all" } else { side.name() };
    tracing::info!("measuring {rows} rows of {}", dataset.source(side).path().display());
    if args.input.is_none() && !saved.encoder.is_as_fitted(&dataset, side)? {
        tracing::warn!(
            "{}: the {} rows are not those that were there in training; the figures are of what is there now",
            dataset.source(side).path().display(),
            side.name()
        );
    }
    let _reading = Reading::new("evaluating");
    let measured = measure(&saved.weights, checked, &saved.encoder, &dataset, side)?;
    if let Some(input) = &args.input {
        tell_unseen(input, checked.schema(), &measured.strangers);
    }
    if args.json {
        let metrics = &measured.metrics;
        let mut all = serde_json::json!({ "metrics": metrics.values(), "undefined": metrics.reasons() });
        if let Some(popularity) = measured.popularity {
            all["baselines"] = serde_json::json!({ "popularity": popularity.values() });
        }
        return out::json(&all);
    }
    out::line(&in_a_line(&measured.metrics))?;
    match measured.popularity {
        Some(popularity) => out::line(&format!("popularity  {}", in_a_line(&popularity))),
        None => Ok(()),
    }
}
