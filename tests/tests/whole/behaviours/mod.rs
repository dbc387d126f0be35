//! Generated logs of several behaviours whose truth is known: each model of them does what it is for, on three seeds.

mod conversions;
mod histories;
mod positions;

use std::path::Path;

use burnrec_tests::{run_ok, summary};

const SEEDS: std::ops::Range<u64> = 1..4;

fn chance(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Trains `text` over `log` and gives its folder's metrics of the test side.
fn trained(folder: &Path, name: &str, text: &str) -> burnrec_record::Values {
    std::fs::write(folder.join("job.toml"), text).unwrap();
    run_ok(folder, &["train", "job.toml", "--out", name, "--device", "flex"]);
    summary(&folder.join(name)).metrics["test"].clone()
}

/// Predictions of a run for `rows.csv`, a column.
fn predicted(folder: &Path, run: &str, column: &str) -> Vec<f64> {
    run_ok(folder, &["predict", run, "--input", "rows.csv", "--output", "scored.csv"]);
    let text = std::fs::read_to_string(folder.join("scored.csv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = names.iter().position(|name| *name == column).unwrap_or_else(|| panic!("{column} in {names:?}"));
    lines.map(|line| line.split(',').nth(at).unwrap().parse().unwrap()).collect()
}

/// AUC of scores against probabilities: each row is `p` positives and `1 - p` negatives.
fn auc(scores: &[f64], truth: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut below, mut won) = (0.0, 0.0);
    for row in order {
        won += truth[row] * (below + 0.5 * (1.0 - truth[row]));
        below += 1.0 - truth[row];
    }
    won / (truth.iter().sum::<f64>() * below)
}

/// Wins of the first of two figures over seeds, and their mean difference.
fn ahead(figures: impl Fn(u64) -> (f64, f64)) -> (usize, f64) {
    let all: Vec<(f64, f64)> = SEEDS.map(figures).collect();
    eprintln!("{all:?}");
    let wins = all.iter().filter(|(a, b)| a > b).count();
    (wins, all.iter().map(|(a, b)| a - b).sum::<f64>() / all.len() as f64)
}
