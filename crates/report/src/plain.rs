//! The same as text: Markdown for notes and reviews, JSON for programs.

use serde_json::{Value, json};

use crate::comparison::{Comparison, differing};
use crate::intervals::interval;
use crate::run::Run;

/// Fields whose importance is told.
const MOST: usize = 20;

/// What may end a cell of a Markdown table, or begin markup, as text.
fn cell(raw: &str) -> String {
    let escaped = |c: char| match c {
        '|' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '\\' => format!("\\{c}"),
        c if c.is_control() => " ".into(),
        c => c.to_string(),
    };
    raw.chars().map(escaped).collect()
}

fn table(out: &mut String, heads: &[String], rows: &[Vec<String>]) {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    out.push_str(&line(heads));
    out.push_str(&line(&vec!["---".to_string(); heads.len()]));
    rows.iter().for_each(|row| out.push_str(&line(row)));
    out.push('\n');
}

fn shown(value: Option<f64>) -> String {
    value.map_or("-".into(), |x| format!("{x:.5}"))
}

/// Runs as Markdown.
pub fn as_markdown(runs: &[Run]) -> String {
    let mut out = String::new();
    let found = Comparison::new(runs);
    let mut heads = vec!["run".to_string(), "model".into(), "status".into()];
    heads.extend(found.metrics.iter().map(|metric| cell(metric)));
    let row = |(at, run): (usize, &Run)| {
        let mut cells = vec![cell(&run.name), run.model().map_or("-".into(), |model| cell(&model)), cell(run.status())];
        for one in &found.cells[at] {
            let difference = one.difference.map_or(String::new(), |d| {
                let mark = if d.is_significant() { "\\*" } else { "" };
                format!(" ({:+.5}{mark}, {:.5} … {:.5})", d.value, d.low, d.high)
            });
            cells.push(format!("{}{difference}", shown(one.value)));
        }
        cells
    };
    table(&mut out, &heads, &runs.iter().enumerate().map(row).collect::<Vec<_>>());
    match runs {
        [one] => alone(&mut out, one),
        several => {
            out.push_str("Differences to the first run with their 95% intervals; \\* where 0 lies outside.\n\n");
            let mut heads = vec!["setting".to_string()];
            heads.extend(several.iter().map(|run| cell(&run.name)));
            let rows: Vec<Vec<String>> = differing(several)
                .into_iter()
                .map(|(key, values)| {
                    let values = values.into_iter().map(|value| value.map_or("-".into(), |v| cell(&v)));
                    std::iter::once(cell(&key)).chain(values).collect()
                })
                .collect();
            table(&mut out, &heads, &rows);
        }
    }
    out
}

fn alone(out: &mut String, run: &Run) {
    let Some(details) = &run.details else { return };
    for task in &details.tasks {
        let rows: Vec<Vec<String>> = task
            .draws
            .iter()
            .map(|draws| {
                let within = interval(draws).map_or("-".into(), |i| format!("{:.5} … {:.5}", i.low, i.high));
                vec![cell(&task.task), cell(&draws.metric), format!("{:.5}", draws.value), within]
            })
            .collect();
        table(out, &["task", "metric", "value", "95% interval"].map(String::from), &rows);
    }
    let rows: Vec<Vec<String>> = details
        .importance
        .iter()
        .take(MOST)
        .map(|field| vec![cell(&field.field), cell(&field.task), cell(&field.metric), format!("{:.5}", field.loss)])
        .collect();
    if !rows.is_empty() {
        table(out, &["field", "task", "metric", "loss when shuffled"].map(String::from), &rows);
    }
    for warning in &details.warnings {
        out.push_str(&format!("- warning: {}\n", cell(warning)));
    }
}

/// Runs as JSON.
pub fn as_json(runs: &[Run]) -> Value {
    let found = Comparison::new(runs);
    let of = |(at, run): (usize, &Run)| {
        let differences: serde_json::Map<String, Value> = found
            .metrics
            .iter()
            .zip(&found.cells[at])
            .filter_map(|(metric, cell)| {
                let d = cell.difference?;
                let told =
                    json!({ "difference": d.value, "low": d.low, "high": d.high, "significant": d.is_significant() });
                Some((metric.clone(), told))
            })
            .collect();
        json!({
            "run": run.path,
            "name": run.name,
            "summary": run.summary,
            "details": run.details,
            "to_the_first": differences,
        })
    };
    let settings: Vec<Value> =
        differing(runs).into_iter().map(|(key, values)| json!({ "setting": key, "values": values })).collect();
    json!({ "runs": runs.iter().enumerate().map(of).collect::<Vec<_>>(), "settings_that_differ": settings })
}
