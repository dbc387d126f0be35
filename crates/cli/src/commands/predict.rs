//! `burnrec predict`

use super::output::Writer;
use super::predictions::{add_to_json_lines, beside};
use super::saved::{open, other_rows};
use crate::args::PredictArgs;
use crate::error::CliError;
use crate::setup;
use burnrec_data::{FormatKind, Side};

/// Scores rows and writes them beside their columns; the output is whole or not there.
pub fn run(args: &PredictArgs) -> Result<(), CliError> {
    let same = |a: &std::path::Path, b: &std::path::Path| {
        a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
    };
    if same(&args.input, &args.output) {
        return Err(CliError::Usage(
            "--output is --input: a file that is read is never written; name another file".into(),
        ));
    }
    let folder = args.output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
    let kind = super::output::kind(&args.output)?;
    if !folder.is_dir() {
        let path = args.output.display().to_string();
        return Err(CliError::Output {
            path,
            reason: format!("{} is not a folder", folder.display()),
            option: "--output",
        });
    }
    setup::probe_folder(folder, "--output")?;
    setup::tidy_on_signals(folder, "predict");
    let saved = open(&args.run, &args.place)?;
    let (dataset, own) = other_rows(&args.input, saved.checked.experiment(), &args.place.data_dir)?;
    let source = dataset.source(Side::Train).clone();
    let encoder = saved.encoder.clone();
    let mut columns = encoder.schema().columns(false);
    // Groups serve metrics alone: a file to be scored need not have them.
    columns.retain(|c| Some(c) != encoder.schema().group.as_ref() || source.column(c).is_ok());
    for column in &columns {
        source.column(column)?;
    }
    let keep = args.columns.clone().unwrap_or(own);
    for column in &keep {
        source.column(column)?;
    }
    let predictions =
        burnrec_train::predict(&saved.weights, &saved.checked, &encoder, source.stream(&columns)?, &source)?;
    let lines = |path: &std::path::Path| FormatKind::of_path(path) == Some(FormatKind::Jsonl);
    if lines(&args.input) && lines(&args.output) {
        // Objects pass through as they stand: numbers stay numbers.
        return add_to_json_lines(&args.input, args.columns.as_deref(), &predictions, folder, &args.output);
    }
    let mut writer = Writer::new(kind, folder, &args.output)?;
    let mut at = 0;
    for batch in source.stream(&keep)? {
        let batch = batch?;
        writer.write(&beside(&batch, &predictions, at)?)?;
        at += batch.num_rows();
    }
    writer.finish()?;
    tracing::info!("{at} rows written to {}", args.output.display());
    Ok(())
}
