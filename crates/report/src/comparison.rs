//! Runs side by side: their metrics with differences, and the settings in which they differ.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::intervals::{Interval, difference};
use crate::run::Run;

/// Metrics of runs beside those of the first.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The metrics that some run has, in order.
    pub metrics: Vec<String>,
    /// A row a run, a cell a metric.
    pub cells: Vec<Vec<Cell>>,
    /// Whether some run cannot be compared draw by draw.
    pub apart: bool,
}

/// A metric of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Its value.
    pub value: Option<f64>,
    /// What the run has more than the first.
    pub difference: Option<Interval>,
    /// Whether that is better.
    pub better: Option<bool>,
}

impl Comparison {
    /// Of runs in their order.
    pub fn new(runs: &[Run]) -> Self {
        let values: Vec<BTreeMap<String, Option<f64>>> =
            runs.iter().map(|run| run.final_metrics().into_iter().collect()).collect();
        let mut metrics: Vec<String> = Vec::new();
        for (name, _) in runs.iter().flat_map(Run::final_metrics) {
            if !metrics.contains(&name) {
                metrics.push(name);
            }
        }
        let cell = |at: usize, metric: &String| {
            let value = values[at].get(metric).copied().flatten();
            let found = if at == 0 { None } else { difference(&runs[at], &runs[0], metric) };
            let larger = runs[at].draws(metric).map(|draws| draws.larger_is_better);
            // Of predicted over observed positives 1 is best, from either side: a difference alone says nothing.
            let told = metric != "pcoc" && !metric.ends_with(".pcoc");
            let better =
                found.zip(larger).filter(|(d, _)| told && d.value != 0.0).map(|(d, larger)| (d.value > 0.0) == larger);
            Cell { value, difference: found, better }
        };
        let cells: Vec<Vec<Cell>> =
            (0..runs.len()).map(|at| metrics.iter().map(|metric| cell(at, metric)).collect()).collect();
        let apart = cells.iter().skip(1).any(|row| row.iter().all(|cell| cell.difference.is_none()));
        Self { metrics, cells, apart }
    }
}

/// The settings that are not the same in all runs, with each run's value as TOML.
pub fn differing(runs: &[Run]) -> Vec<(String, Vec<Option<String>>)> {
    let all: Vec<BTreeMap<String, String>> = runs.iter().map(|run| flat(&run.config)).collect();
    let mut keys: Vec<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    keys.sort();
    keys.dedup();
    let of = |key: &String| all.iter().map(|own| own.get(key).cloned()).collect::<Vec<_>>();
    let differs = |values: &Vec<Option<String>>| values.windows(2).any(|pair| pair[0] != pair[1]);
    keys.into_iter().map(|key| (key.clone(), of(key))).filter(|(_, values)| differs(values)).collect()
}

/// Every value of a TOML file by its whole key.
fn flat(text: &str) -> BTreeMap<String, String> {
    fn walk(table: &Table, above: &str, out: &mut BTreeMap<String, String>) {
        for (name, value) in table {
            let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            match value {
                Value::Table(inner) if !inner.is_empty() => walk(inner, &key, out),
                other => drop(out.insert(key, other.to_string())),
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(&text.parse::<Table>().unwrap_or_default(), "", &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(config: &str) -> Run {
        Run {
            path: "r".into(),
            name: "r".into(),
            config: config.into(),
            events: vec![],
            summary: None,
            details: None,
            lost: 0,
            phases: Vec::new(),
        }
    }

    #[test]
    fn only_what_differs_is_listed() {
        let found = differing(&[
            run("[train]\nepochs = 1\nl2 = 0.5\n"),
            run("[train]\nepochs = 2\nl2 = 0.5\n[x]\ny = \"<\"\n"),
        ]);
        let some = |text: &str| Some(text.to_string());
        assert_eq!(
            found,
            [("train.epochs".to_string(), vec![some("1"), some("2")]), ("x.y".to_string(), vec![None, some("\"<\"")]),]
        );
    }
}
