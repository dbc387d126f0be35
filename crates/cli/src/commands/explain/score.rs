//! One score of a run: what each field adds to it.

use std::path::Path;

use burnrec_data::{Side, positions};
use burnrec_features::{Batch, Purpose};
use burnrec_train::{Explained, GateShares, SavedModel, explain};
use serde_json::json;

use super::super::saved::{Other, open, other_rows};
use crate::args::ExplainArgs;
use crate::error::CliError;
use crate::out;

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
    let (row, others, place) = rows(&saved, input, wanted, &args.place.data_dir)?;
    let tasks = saved.checked.tasks();
    let (found, gates) = explain(&saved.weights, tasks, &saved.encoder, &row, &others)?;
    if args.json {
        return print_json(&found, &gates, others.rows);
    }
    out::line(&format!("{place}, beside {} other rows of the file", others.rows))?;
    found.iter().try_for_each(print)?;
    print_gates(&gates)
}

/// The row that is asked about, others of its file, and where it stands.
fn rows(saved: &SavedModel, input: &Path, wanted: u64, data_dir: &Path) -> Result<(Batch, Batch, String), CliError> {
    let encoder = &saved.encoder;
    let mut columns = encoder.schema().columns(false);
    let Other { rows, .. } = other_rows(input, saved, data_dir, &columns)?;
    let source = rows.source(Side::Train).clone();
    columns.retain(|c| Some(c) != encoder.schema().group.as_ref() || source.column(c).is_ok());
    let (mut own, mut others, mut at) = (None, None::<Batch>, 0u64);
    for chunk in source.stream(&columns)? {
        let chunk = chunk?;
        let count = chunk.num_rows() as u64;
        let holds = (at..at + count).contains(&(wanted - 1));
        let enough = others.as_ref().is_some_and(|others| others.rows >= OTHERS);
        if holds || !enough {
            let batch = encoder.encode(&chunk, &*source, Purpose::Predict)?;
            let place = (wanted - 1).wrapping_sub(at) as usize;
            if holds {
                let position = positions(&chunk).get(place).copied().unwrap_or_default();
                own = Some((batch.take(&[place as u32]), source.locate(position).to_string()));
            }
            let rest: Vec<u32> =
                (0..batch.rows as u32).filter(|r| !holds || *r as usize != place).take(OTHERS).collect();
            let rest = batch.take(&rest);
            match &mut others {
                Some(others) if !enough => others.append(&rest),
                Some(_) => {}
                None => others = Some(rest),
            }
        }
        at += count;
        if own.is_some() && others.as_ref().is_some_and(|others| others.rows >= OTHERS) {
            break;
        }
    }
    let refused = |problem: String| CliError::Usage(format!("{}: {problem}", input.display()));
    let (row, place) = own.ok_or_else(|| refused(format!("has {at} rows, and --row {wanted} asks for another")))?;
    let others = others.filter(|others| others.rows > 0);
    let others =
        others.ok_or_else(|| refused("has one row alone; what a field adds shows beside other rows".into()))?;
    Ok((row, others, place))
}

fn print(task: &Explained) -> Result<(), CliError> {
    let Explained { task, score, mean, fields } = task;
    out::line(&format!("\n{task}: score {score:.4} (log-odds, or the number itself), the others' mean {mean:.4}"))?;
    let most = fields.first().map_or(1e-12, |(_, x)| x.abs()).max(1e-12);
    let row = |(field, adds): &(String, f64)| {
        let bar = "█".repeat((adds.abs() / most * 24.0).round() as usize);
        vec![format!("  {field}"), format!("{adds:+.4}"), bar]
    };
    out::table(&fields.iter().map(row).collect::<Vec<_>>())
}

fn print_gates(gates: &[GateShares]) -> Result<(), CliError> {
    for GateShares { gate, shares } in gates {
        let shares: Vec<String> = shares.iter().map(|share| format!("{share:.3}")).collect();
        out::line(&format!("\n{gate}: experts {}", shares.join("  ")))?;
    }
    Ok(())
}

fn print_json(found: &[Explained], gates: &[GateShares], others: usize) -> Result<(), CliError> {
    let task = |task: &Explained| {
        let fields: serde_json::Map<_, _> = task.fields.iter().map(|(f, x)| (f.clone(), json!(x))).collect();
        json!({ "task": task.task, "score": task.score, "mean": task.mean, "fields": fields })
    };
    let gates: serde_json::Map<_, _> = gates.iter().map(|g| (g.gate.clone(), json!(g.shares))).collect();
    out::json(&json!({ "tasks": found.iter().map(task).collect::<Vec<_>>(), "gates": gates, "other_rows": others }))
}
