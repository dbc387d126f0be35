//! One score of a run: what each field adds to it.

use std::path::Path;

use burnrec_data::{Side, Source, positions};
use burnrec_features::{Batch, Purpose};
use burnrec_train::{SavedModel, Task, explain};

use super::super::saved::{Other, open, other_rows};
use super::asked::Asked;
use super::told;
use crate::args::ExplainArgs;
use crate::error::CliError;

/// Other rows that a score is held against, at most.
const OTHERS: usize = 512;

/// Explains the score of a row of a file.
pub(super) fn run(args: &ExplainArgs, run: &Path) -> Result<(), CliError> {
    let (Some(input), Some(wanted)) = (&args.input, args.row) else {
        return Err(CliError::Usage(format!(
            "{}: is a run; give --input FILE and --row N (from 1) to explain one of its scores",
            run.display()
        )));
    };
    let saved = open(run, &args.place)?;
    let classes = |task: &&Task| task.width(saved.checked.schema()) > 1;
    if let Some(task) = saved.checked.tasks().iter().find(classes) {
        return Err(CliError::Usage(format!(
            "task {} is one of several classes, each with a score of its own; single scores are explained",
            task.name
        )));
    }
    let asked = asked(&saved, input, wanted, &args.place.data_dir)?;
    let tasks = saved.checked.tasks();
    let found = explain(&saved.weights, tasks, &saved.encoder, &asked.row, &asked.others)?;
    if args.json { told::as_json(&found, &asked) } else { told::as_text(&found, &asked) }
}

/// A row of a stream: its place in the file, and which of the rows of that place it is.
type Which = (u64, usize);

/// The row of a file by its number, from 1: rows may be streamed in another order, as those that are sorted by time.
fn which(source: &dyn Source, columns: &[String], wanted: u64) -> Result<Result<Which, u64>, CliError> {
    let mut places: Vec<u64> = Vec::new();
    for batch in source.stream(&columns[..columns.len().min(1)])? {
        places.extend_from_slice(positions(&batch?));
    }
    places.sort_unstable();
    let at = usize::try_from(wanted - 1).unwrap_or(usize::MAX);
    let Some(place) = places.get(at) else { return Ok(Err(places.len() as u64)) };
    let first = places.partition_point(|other| other < place);
    Ok(Ok((*place, at - first)))
}

/// Looks a row up by its number.
fn asked(saved: &SavedModel, input: &Path, wanted: u64, data_dir: &Path) -> Result<Asked, CliError> {
    let encoder = &saved.encoder;
    let mut columns = encoder.schema().columns(false);
    let Other { rows, .. } = other_rows(input, saved, data_dir, &columns)?;
    let source = rows.source(Side::Train).clone();
    columns.retain(|c| Some(c) != encoder.schema().group.as_ref() || source.column(c).is_ok());
    let refused = |problem: String| CliError::Usage(format!("{}: {problem}", input.display()));
    let (target, mut before) = which(&*source, &columns, wanted)?
        .map_err(|all| refused(format!("has {all} rows, and --row {wanted} asks for another")))?;
    let (mut own, mut others) = (None, None::<Batch>);
    for chunk in source.stream(&columns)? {
        let chunk = chunk?;
        let mut found = None;
        for (at, place) in positions(&chunk).iter().enumerate().filter(|(_, place)| **place == target) {
            match before.checked_sub(1) {
                Some(less) => before = less,
                None if own.is_none() && found.is_none() => found = Some((at as u32, *place)),
                None => {}
            }
        }
        let enough = others.as_ref().is_some_and(|others| others.rows >= OTHERS);
        if found.is_some() || !enough {
            let batch = encoder.encode(&chunk, &*source, Purpose::Predict)?;
            if let Some((at, place)) = found {
                let histories = encoder.histories(at as usize, &chunk, &*source)?;
                own = Some((batch.take(&[at]), source.locate(place).to_string(), histories));
            }
            let is_other = |row: &u32| found.is_none_or(|(at, _)| at != *row);
            let rest: Vec<u32> = (0..batch.rows as u32).filter(is_other).take(OTHERS).collect();
            let rest = batch.take(&rest);
            match &mut others {
                Some(others) if !enough => others.append(&rest),
                Some(_) => {}
                None => others = Some(rest),
            }
        }
        if own.is_some() && others.as_ref().is_some_and(|others| others.rows >= OTHERS) {
            break;
        }
    }
    let (row, place, histories) =
        own.ok_or_else(|| refused(format!("has changed while row {wanted} was looked for")))?;
    let others = others.filter(|others| others.rows > 0);
    let others = others.ok_or_else(|| refused("has a single row; what a field adds shows beside other rows".into()))?;
    Ok(Asked { row, others, place, histories })
}
