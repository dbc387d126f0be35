//! Metrics by task. Undefined is undefined, with the reason, never a number.
//!
//! On disk a run of one task has `{"auc": 0.78, "gauc": null}`, a run of several nests them by task:
//! `{"click": {"auc": 0.78}, "convert": {"auc": 0.81}}`. Why a metric is null stands beside, in the same shape.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Values of one task's metrics in their order, or why there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(pub Vec<(String, Result<f64, String>)>);

impl Metrics {
    /// The value of a metric, if it is defined.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.as_ref().ok().copied())
    }

    fn values(&self) -> Map<String, Value> {
        let value = |v: &Result<f64, String>| v.as_ref().map_or(Value::Null, |v| Value::from(*v));
        self.0.iter().map(|(name, v)| (name.clone(), value(v))).collect()
    }

    fn reasons(&self) -> Map<String, Value> {
        self.0.iter().filter_map(|(n, v)| Some((n.clone(), Value::from(v.as_ref().err()?.clone())))).collect()
    }
}

/// The metrics of every task, in the order of the tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskMetrics(pub Vec<(String, Metrics)>);

impl TaskMetrics {
    /// The value of a task's metric, if it is defined.
    pub fn get(&self, task: &str, metric: &str) -> Option<f64> {
        self.0.iter().find(|(name, _)| name == task).and_then(|(_, metrics)| metrics.get(metric))
    }

    /// Every metric with its task, `click.auc`, or by itself where there is one task.
    pub fn flat(&self) -> impl Iterator<Item = (String, &Result<f64, String>)> {
        let several = self.0.len() > 1;
        let of = move |task: &String, name: &String| if several { format!("{task}.{name}") } else { name.clone() };
        self.0.iter().flat_map(move |(task, m)| m.0.iter().map(move |(name, value)| (of(task, name), value)))
    }

    fn shaped(&self, of: impl Fn(&Metrics) -> Map<String, Value>) -> Map<String, Value> {
        match self.0.as_slice() {
            [(_, only)] => of(only),
            tasks => {
                let each = tasks.iter().map(|(task, metrics)| (task.clone(), of(metrics)));
                each.filter(|(_, own)| !own.is_empty()).map(|(task, own)| (task, Value::Object(own))).collect()
            }
        }
    }

    /// The values as they stand in files.
    pub fn values(&self) -> Values {
        Values(self.shaped(Metrics::values))
    }

    /// Why metrics are null, as it stands in files.
    pub fn reasons(&self) -> Reasons {
        Reasons(self.shaped(Metrics::reasons))
    }
}

/// One of the two tables of a file: metric → value, or task → metric → value.
fn find<'a>(table: &'a Map<String, Value>, task: &str, metric: &str) -> Option<&'a Value> {
    match table.get(task) {
        Some(Value::Object(own)) => own.get(metric),
        _ => table.get(metric).filter(|value| !value.is_object()),
    }
}

/// Values of metrics as a file has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Values(pub Map<String, Value>);

impl Values {
    /// A task's metric; none where it is absent or null. The task's name is not looked at where a run has only one.
    pub fn get(&self, task: &str, metric: &str) -> Option<f64> {
        find(&self.0, task, metric)?.as_f64()
    }

    /// Every metric with its task, as [`TaskMetrics::flat`] names them.
    pub fn flat(&self) -> Vec<(String, Option<f64>)> {
        let of = |(name, value): (&String, &Value)| match value {
            Value::Object(own) => own.iter().map(|(m, v)| (format!("{name}.{m}"), v.as_f64())).collect(),
            value => vec![(name.clone(), value.as_f64())],
        };
        self.0.iter().flat_map(of).collect()
    }
}

/// Why metrics are null, as a file has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reasons(pub Map<String, Value>);

impl Reasons {
    /// Why a task's metric is null.
    pub fn get(&self, task: &str, metric: &str) -> Option<&str> {
        find(&self.0, task, metric)?.as_str()
    }

    /// Whether every metric has a value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(&str, Result<f64, &str>)]) -> Metrics {
        Metrics(values.iter().map(|(n, v)| (n.to_string(), v.map_err(str::to_string))).collect())
    }

    #[test]
    fn one_task_lies_flat_and_several_nest_and_both_are_read_alike() {
        let click = of(&[("auc", Ok(0.75)), ("gauc", Err("no group has both classes"))]);
        let one = TaskMetrics(vec![("click".into(), click.clone())]);
        assert_eq!(serde_json::to_string(&one.values()).unwrap(), r#"{"auc":0.75,"gauc":null}"#);
        let two = TaskMetrics(vec![("click".into(), click), ("buy".into(), of(&[("auc", Ok(0.5))]))]);
        let text = serde_json::to_string(&two.values()).unwrap();
        assert_eq!(text, r#"{"click":{"auc":0.75,"gauc":null},"buy":{"auc":0.5}}"#);
        for tasks in [one, two] {
            let read: Values = serde_json::from_str(&serde_json::to_string(&tasks.values()).unwrap()).unwrap();
            assert_eq!((read.get("click", "auc"), read.get("click", "gauc")), (Some(0.75), None));
            assert_eq!(tasks.reasons().get("click", "gauc"), Some("no group has both classes"));
            let flat: Vec<String> = tasks.flat().map(|(name, _)| name).collect();
            assert_eq!(flat, read.flat().into_iter().map(|(name, _)| name).collect::<Vec<_>>());
        }
    }
}
