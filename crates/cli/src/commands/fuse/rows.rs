//! Rows of a file with the scores of all runs.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use burnrec_train::Values;
use burnrec_train::fuse::Fusion;

use super::super::output::{Place, Writer, kind};
use super::super::predict::{InFile, nothing, of_file};
use super::score::Score;
use crate::args;
use crate::error::CliError;

/// Writes the rows of a file with all scores beside their own columns; the output is whole or not there.
pub fn write(
    scores: &[Score],
    (fusion, weights): (&Fusion, &[f64]),
    target: usize,
    (input, output): (&Path, &Path),
    place: &args::Place,
) -> Result<(), CliError> {
    let (kind, to) = (kind(output)?, Place::of(output, "--output")?);
    let mut columns: Vec<Vec<f64>> = Vec::new();
    let (mut rows, mut groups): (Option<InFile>, Vec<u64>) = (None, Vec::new());
    for (at, score) in scores.iter().enumerate() {
        let own = of_file(&score.saved, input, place)?;
        refuse_twice(scores, &own.names)?;
        columns.push(numbers(score, &own)?);
        if at == target {
            groups.clone_from(&own.groups);
        }
        rows.get_or_insert(own);
    }
    let Some(rows) = rows else { return Ok(()) };
    let grouped = scores[target].saved.checked.schema().group.as_ref();
    if let Some(column) = grouped.filter(|_| fusion.is_of_ranks() && groups.len() < columns[0].len()) {
        return Err(CliError::Usage(format!(
            "{}: has no column `{column}`, in whose groups the run of the target ranks; add it, or take another fuse.method",
            input.display()
        )));
    }
    fusion.check(&columns, weights)?;
    let fused = fusion.fuse(&columns, weights, &groups);
    if let Some(row) = fused.iter().position(|score| !score.is_finite()) {
        let (row, score) = (row + 1, fused[row]);
        return Err(CliError::Usage(format!("the joined score of row {row} of {} is {score}", input.display())));
    }
    let mut writer = Writer::new(kind, to)?;
    let mut at = 0;
    for batch in rows.written.stream(&rows.names)? {
        let batch = batch?;
        let span = at..at + batch.num_rows();
        at = span.end;
        let own: Vec<(&str, &[f64])> =
            scores.iter().zip(&columns).map(|(score, column)| (&*score.name, &column[span.clone()])).collect();
        writer.write(&beside(&batch, &own, &fused[span])?)?;
    }
    if at == 0 {
        let none: Vec<(&str, &[f64])> = scores.iter().map(|score| (&*score.name, &[][..])).collect();
        writer.write(&beside(&nothing(&*rows.written, &rows.names)?, &none, &[])?)?;
    }
    writer.finish()?;
    tracing::info!("{at} rows written to {}", output.display());
    Ok(())
}

/// Refuses names of scores that are columns of the file.
fn refuse_twice(scores: &[Score], names: &[String]) -> Result<(), CliError> {
    let taken = |name: &&str| names.iter().any(|own| own == name);
    match scores.iter().map(|s| s.name.as_str()).chain(["fused"]).find(taken) {
        Some(name) => Err(CliError::Usage(format!(
            "column `{name}` would stand twice in the output; rename the score, such as p_{name}"
        ))),
        None => Ok(()),
    }
}

/// The predictions of a score's task.
fn numbers(score: &Score, rows: &InFile) -> Result<Vec<f64>, CliError> {
    let name = score.column();
    match rows.columns.iter().find(|column| column.name == name).map(|column| &column.values) {
        Some(Values::Numbers(values)) => Ok(values.iter().map(|v| f64::from(*v)).collect()),
        _ => Err(CliError::Usage(format!("{}: gives no column {name}", score.saved.folder.display()))),
    }
}

/// A batch of rows without its last column, their place, and with scores behind.
fn beside(batch: &RecordBatch, scores: &[(&str, &[f64])], fused: &[f64]) -> Result<RecordBatch, CliError> {
    let own = batch.num_columns() - 1;
    let mut fields: Vec<Field> = (0..own).map(|c| batch.schema().field(c).clone()).collect();
    let mut arrays: Vec<ArrayRef> = (0..own).map(|c| batch.column(c).clone()).collect();
    for (name, values) in scores {
        fields.push(Field::new(*name, DataType::Float32, false));
        arrays.push(Arc::new(Float32Array::from_iter_values(values.iter().map(|v| *v as f32))));
    }
    fields.push(Field::new("fused", DataType::Float64, false));
    arrays.push(Arc::new(Float64Array::from(fused.to_vec())));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|e| CliError::Usage(e.to_string()))
}
