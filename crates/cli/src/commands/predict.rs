//! `burnrec predict`

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use burnrec_data::{FormatKind, POSITION, Side, Source, positions};
use burnrec_train::{Column, SavedModel};

use super::output::{Place, Writer, kind, refuse_input};
use super::predictions::{add_to_json_lines, beside};
use super::saved::{Other, open, other_rows, tell_unseen};
use crate::args::PredictArgs;
use crate::error::CliError;
use crate::reading::Reading;

/// Scores rows and writes them beside their columns; the output is whole or not there.
pub fn run(args: &PredictArgs) -> Result<(), CliError> {
    refuse_input(&args.input, &args.output)?;
    let kind = kind(&args.output)?;
    let place = Place::of(&args.output, "--output")?;
    let saved = open(&args.run, &args.place)?;
    let InFile { columns: predictions, written, names, .. } = of_file(&saved, &args.input, &args.place)?;
    let keep = args.columns.clone().unwrap_or(names);
    for column in &keep {
        written.column(column)?;
    }
    let lines = |path: &Path| FormatKind::of_path(path) == Some(FormatKind::Jsonl);
    let exploded = saved.checked.experiment().data.explode.is_some();
    if lines(&args.input) && kind == FormatKind::Jsonl && !exploded {
        // Objects pass through as they stand: numbers stay numbers.
        return add_to_json_lines(&args.input, args.columns.as_deref(), &predictions, &place);
    }
    let path = place.path().display().to_string();
    let mut writer = Writer::new(kind, place)?;
    let mut at = 0;
    for batch in written.stream(&keep)? {
        let batch = batch?;
        writer.write(&beside(&batch, &predictions, at)?)?;
        at += batch.num_rows();
    }
    if at == 0 {
        writer.write(&beside(&nothing(&*written, &keep)?, &predictions, 0)?)?;
    }
    writer.finish()?;
    tracing::info!("{at} rows written to {path}");
    Ok(())
}

/// The predictions of a file's rows, in its order.
pub struct InFile {
    /// One entry a column.
    pub columns: Vec<Column>,
    /// The group of every row; empty where the file has no such column.
    pub groups: Vec<u64>,
    /// The rows as they stand in the file.
    pub written: Arc<dyn Source>,
    /// The names of the file's own columns.
    pub names: Vec<String>,
}

/// Scores the rows of a file.
pub fn of_file(saved: &SavedModel, input: &Path, place: &crate::args::Place) -> Result<InFile, CliError> {
    let encoder = saved.encoder.clone();
    let mut columns = encoder.schema().columns(false);
    let Other { rows, written, names } = other_rows(input, saved, &place.data_dir, &columns)?;
    let source = rows.source(Side::Train).clone();
    // Groups serve metrics alone: a file to be scored need not have them.
    columns.retain(|c| Some(c) != encoder.schema().group.as_ref() || source.column(c).is_ok());
    for column in &columns {
        source.column(column)?;
    }
    let reading = Reading::new("scoring");
    let scored = burnrec_train::predict(&saved.weights, &saved.checked, &encoder, source.stream(&columns)?, &source)?;
    drop(reading);
    tell_unseen(input, encoder.schema(), &scored.strangers);
    if Arc::ptr_eq(&source, &written) {
        return Ok(InFile { columns: scored.columns, groups: scored.groups, written, names });
    }
    let order = as_written(&*source, &columns)?;
    let groups = order.iter().filter_map(|row| scored.groups.get(*row).copied()).collect();
    let columns = scored.columns.into_iter().map(|column| column.in_order(&order)).collect();
    Ok(InFile { columns, groups, written, names })
}

/// The order of the file, of rows in the order of time.
fn as_written(source: &dyn Source, columns: &[String]) -> Result<Vec<usize>, CliError> {
    let mut places: Vec<u64> = Vec::new();
    for batch in source.stream(&columns[..columns.len().min(1)])? {
        places.extend_from_slice(positions(&batch?));
    }
    let mut order: Vec<usize> = (0..places.len()).collect();
    // Rows of one place, as those of one impression, stay in their order.
    order.sort_by_key(|row| places[*row]);
    Ok(order)
}

/// No rows of some columns.
pub fn nothing(source: &dyn Source, columns: &[String]) -> Result<RecordBatch, CliError> {
    let mut fields = Vec::with_capacity(columns.len() + 1);
    for name in columns {
        fields.push(Field::new(name, source.column(name)?.data_type.clone(), true));
    }
    fields.push(Field::new(POSITION, DataType::UInt64, false));
    Ok(RecordBatch::new_empty(Schema::new(fields).into()))
}
