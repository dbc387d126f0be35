//! What trials came to, the best first.

use std::collections::BTreeMap;

use burnrec_record::Values;
use serde::Serialize;

use super::front::front;
use super::ledger::Tried;
use super::next::value;
use super::space::Point;
use crate::error::{TrainError, bad};
use crate::experiment::SweepConfig;
use crate::metrics::MetricName;
use crate::task::Task;

/// A mean over repeats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Half the width of its 95% interval; none for a single run.
    pub plus_minus: Option<f64>,
}

/// A trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its number, from 1.
    pub trial: usize,
    /// Its settings, by key.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// The rung that it reached.
    pub rung: usize,
    /// What it is ranked by; none where it failed.
    pub value: Option<Mean>,
    /// The metrics that were asked for.
    pub metrics: BTreeMap<String, Option<Mean>>,
    /// Of each metric that is shown its difference to that of the case that it is compared with, seed by seed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub differences: BTreeMap<String, Option<Mean>>,
    /// Whether no other beats it in both metrics; none where none are named.
    pub front: Option<bool>,
    /// Seconds of all its runs.
    pub seconds: f64,
    /// Why it failed.
    pub reason: Option<String>,
    /// The folders of its runs, the last rung's.
    pub runs: Vec<String>,
}

/// Student's t at 97.5% for 1 to 30 degrees of freedom; its expansion in their inverse beyond.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

fn mean(values: &[f64]) -> Option<Mean> {
    let count = values.len();
    let mean = values.iter().sum::<f64>() / count.max(1) as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count.saturating_sub(1).max(1) as f64;
    let beyond = || 1.960 + 2.372 / count.saturating_sub(1).max(1) as f64;
    let t = STUDENT.get(count.wrapping_sub(2)).copied().unwrap_or_else(beyond);
    let plus_minus = (count > 1).then(|| t * (variance / count as f64).sqrt());
    (count > 0).then_some(Mean { mean, plus_minus })
}

/// The side, task and metric of a name as `test.click.auc`.
fn parts<'a>(key: &str, name: &'a str) -> Result<(&'a str, &'a str, MetricName), TrainError> {
    let wrong = || bad(key, format!("`{name}` names no metric of a side; write test.auc, or valid.click.auc"));
    let (side, rest) = name.split_once('.').ok_or_else(wrong)?;
    if !matches!(side, "valid" | "test") {
        return Err(wrong());
    }
    let (task, metric) = rest.rsplit_once('.').unwrap_or(("", rest));
    Ok((side, task, MetricName::parse(key, metric)?))
}

impl SweepConfig {
    /// Refuses names that are no metrics, and those of tasks that there are not.
    pub(crate) fn check_metrics(&self, tasks: &[Task]) -> Result<(), TrainError> {
        let names = || tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>().join(", ");
        let shown = self.show.iter().map(|name| ("sweep.show", name));
        for (key, name) in shown.chain(self.pareto.iter().flatten().map(|name| ("sweep.pareto", name))) {
            let (_, task, metric) = parts(key, name)?;
            // Whole tasks may be among the settings that are tried.
            let tries = |setting: &str| setting.split('.').next() == Some("tasks") && setting.split('.').count() < 3;
            if self.changed().any(tries) {
                continue;
            }
            let own = tasks.iter().find(|own| own.name == task || (tasks.len() == 1 && task.is_empty()));
            let Some(own) = own else {
                return Err(bad(key, format!("`{name}` does not say of which task; there are {}", names())));
            };
            if !own.metrics.contains(&metric) {
                let problem = format!("`{name}` is not measured; add it to tasks.{}.metrics", own.name);
                return Err(bad(key, problem));
            }
        }
        if self.fresh_data && self.repeats < 2 {
            return Err(bad("sweep.fresh_data", "is of repeats, and there is one; remove it"));
        }
        Ok(())
    }
}

fn metric(values: &BTreeMap<String, Values>, name: &str) -> Option<f64> {
    let (side, task, metric) = parts("sweep", name).ok()?;
    let own = values.get(side)?;
    // The only task needs no name.
    let only = own.0.keys().next().filter(|_| task.is_empty() && own.0.len() == 1);
    own.get(only.map_or(task, String::as_str), &metric.name())
}

/// The differences of a metric at a point to that of the first case that has it, over the repeats that both have; none at that
/// case itself.
fn difference(sweep: &SweepConfig, tried: &[Tried], at: &Point, name: &str) -> Option<Mean> {
    let of = |point: &Point| -> BTreeMap<usize, f64> {
        // Of a trial of which a run failed, or is still to come, nothing is said.
        let own: Vec<&Tried> = tried.iter().filter(|t| t.at == *point).collect();
        let whole = own.len() == sweep.repeats && own.iter().all(|t| t.reason.is_none());
        let own = own.into_iter().filter(|_| whole);
        own.filter_map(|t| Some((t.repeat, metric(&t.metrics, name)?))).collect()
    };
    let mut cases = sweep.against.iter().map(|case| sweep.compared(at, case));
    let (base, other) = cases.find_map(|point| Some((of(&point), point)).filter(|(values, _)| !values.is_empty()))?;
    let pairs = of(at).into_iter().filter_map(|(repeat, value)| Some(value - base.get(&repeat)?));
    mean(&pairs.collect::<Vec<_>>()).filter(|_| other != *at)
}

/// Every trial, the best first, those that failed behind.
pub fn rows(sweep: &SweepConfig, tried: &[Tried], rises: bool) -> Vec<Row> {
    let names: Vec<&String> = sweep.show.iter().chain(sweep.pareto.iter().flatten()).collect();
    let mut trials: Vec<usize> = tried.iter().map(|t| t.trial).collect();
    trials.sort_unstable();
    trials.dedup();
    let differences = |at: Option<&Point>| match at {
        Some(at) if !sweep.against.is_empty() => {
            sweep.show.iter().map(|name| (name.clone(), difference(sweep, tried, at, name))).collect()
        }
        _ => BTreeMap::new(),
    };
    let row = |trial: usize| {
        let rung = tried.iter().filter(|t| t.trial == trial).map(|t| t.rung).max().unwrap_or(0);
        let own: Vec<&Tried> = tried.iter().filter(|t| t.trial == trial && t.rung == rung).collect();
        let of = |name: &String| mean(&own.iter().filter_map(|t| metric(&t.metrics, name)).collect::<Vec<_>>());
        let whole = value(tried, trial, rung, sweep.repeats).is_some();
        let values: Vec<f64> = own.iter().filter_map(|t| t.value).collect();
        Row {
            trial,
            settings: own.first().map(|t| t.settings.clone()).unwrap_or_default(),
            rung,
            value: mean(&values).filter(|_| whole),
            metrics: names.iter().map(|name| ((*name).clone(), of(name))).collect(),
            differences: differences(own.first().map(|t| &t.at)),
            front: None,
            seconds: tried.iter().filter(|t| t.trial == trial).map(|t| t.seconds).sum(),
            reason: own.iter().find_map(|t| t.reason.clone()),
            runs: own.iter().map(|t| t.run.clone()).collect(),
        }
    };
    let mut rows: Vec<Row> = trials.into_iter().map(row).collect();
    if let Some(pair) = &sweep.pareto {
        let pairs: Vec<[Option<f64>; 2]> = rows
            .iter()
            .map(|row| {
                // A trial that failed, or cannot be ranked, beats nobody.
                let mean = |at: usize| row.value.and(row.metrics.get(&pair[at]).copied().flatten());
                [0, 1].map(|at| mean(at).map(|mean| mean.mean))
            })
            .collect();
        let rise = |name: &String| parts("sweep", name).is_ok_and(|(.., metric)| metric.larger_is_better());
        let on = front(&pairs, [rise(&pair[0]), rise(&pair[1])]);
        rows.iter_mut().zip(on).for_each(|(row, on)| row.front = Some(on));
    }
    // Trials of a later rung had more epochs: they stand before.
    let key = |row: &Row| row.value.map(|v| if rises { -v.mean } else { v.mean });
    rows.sort_by(|a, b| match (key(a), key(b)) {
        (Some(x), Some(y)) => b.rung.cmp(&a.rung).then(x.total_cmp(&y)),
        (x, y) => y.is_some().cmp(&x.is_some()),
    });
    rows
}
