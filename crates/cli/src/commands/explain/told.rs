//! One score, as text and as JSON.

use burnrec_train::{Attention, Explained, ExplainedRow, GateShares};
use serde_json::{Map, Value, json};

use super::asked::Asked;
use crate::error::CliError;
use crate::out;

/// Behaviours that are shown, those that count most.
const MOST: usize = 12;

/// Widest bar.
const BAR: f64 = 24.0;

/// A position of a history: its id, how many positions from the latest, what it counts.
struct Attended<'a> {
    id: &'a str,
    before: usize,
    weight: f64,
}

/// The positions of a history, the oldest first, under its name.
fn attended<'a>(attention: &'a Attention, asked: &'a Asked) -> (&'a str, Vec<Attended<'a>>) {
    let (name, ids) = asked.histories.get(attention.group).map_or(("", &[][..]), |(name, ids)| (name, ids));
    let all = attention.weights.len();
    // The latest are kept of long ones.
    let ids = &ids[ids.len().saturating_sub(all)..];
    let of = |(at, weight): (usize, &f64)| Attended {
        id: ids.get(at).map_or("", String::as_str),
        before: all - at,
        weight: *weight,
    };
    (name, attention.weights.iter().enumerate().map(of).collect())
}

fn bar(x: f64, most: f64) -> String {
    "█".repeat((x.abs() / most.max(1e-12) * BAR).round() as usize)
}

/// Prints what was found.
pub(super) fn as_text(found: &ExplainedRow, asked: &Asked) -> Result<(), CliError> {
    out::line(&format!("{}, beside {} other rows of the file", asked.place, asked.beside()))?;
    found.tasks.iter().try_for_each(task)?;
    found.attention.iter().try_for_each(|attention| history(attention, asked))?;
    found.gates.iter().try_for_each(gate)
}

fn task(task: &Explained) -> Result<(), CliError> {
    let Explained { task, score, mean, fields, is_log_odds } = task;
    let unit = if *is_log_odds { " (log-odds)" } else { "" };
    out::line(&format!("\n{task}: score {score:.4}{unit}, mean of the others {mean:.4}"))?;
    let most = fields.first().map_or(0.0, |(_, x)| x.abs());
    let row = |(field, adds): &(String, f64)| vec![format!("  {field}"), format!("{adds:+.4}"), bar(*adds, most)];
    out::table(&fields.iter().map(row).collect::<Vec<_>>())
}

fn history(attention: &Attention, asked: &Asked) -> Result<(), CliError> {
    let (name, mut all) = attended(attention, asked);
    if all.is_empty() {
        return out::line(&format!("\n{name}: no history on this row"));
    }
    all.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    let shown = &all[..all.len().min(MOST)];
    out::line(&format!(
        "\n{name}: what {} of {} behaviours count in the history (1 ago is the latest)",
        shown.len(),
        all.len()
    ))?;
    let most = shown.first().map_or(0.0, |own| own.weight.abs());
    let row = |own: &Attended<'_>| {
        let ago = format!("{} ago", own.before);
        vec![format!("  {}", own.id), ago, format!("{:+.4}", own.weight), bar(own.weight, most)]
    };
    out::table(&shown.iter().map(row).collect::<Vec<_>>())
}

fn gate(GateShares { gate, shares }: &GateShares) -> Result<(), CliError> {
    let shares: Vec<String> = shares.iter().map(|share| format!("{share:.3}")).collect();
    out::line(&format!("\n{gate}: experts {}", shares.join("  ")))
}

/// Prints what was found as JSON.
pub(super) fn as_json(found: &ExplainedRow, asked: &Asked) -> Result<(), CliError> {
    let task = |task: &Explained| {
        let fields: Map<_, _> = task.fields.iter().map(|(f, x)| (f.clone(), json!(x))).collect();
        json!({ "task": task.task, "score": task.score, "mean": task.mean, "fields": fields })
    };
    let gates: Map<_, _> = found.gates.iter().map(|g| (g.gate.clone(), json!(g.shares))).collect();
    let history = |attention: &Attention| {
        let (name, all) = attended(attention, asked);
        let of = |own: &Attended<'_>| json!({ "id": own.id, "ago": own.before, "weight": own.weight });
        (name.to_string(), all.iter().map(of).collect::<Value>())
    };
    let attention: Map<_, _> = found.attention.iter().map(history).collect();
    out::json(&json!({
        "tasks": found.tasks.iter().map(task).collect::<Vec<_>>(),
        "gates": gates,
        "attention": attention,
        "other_rows": asked.beside(),
    }))
}
