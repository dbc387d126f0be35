//! What decides which epoch is best: a task's metric, or a weighted sum of such.

use burnrec_record::TaskMetrics;

use crate::error::{TrainError, bad};
use crate::metrics::MetricName;
use crate::task::Task;

const KEY: &str = "train.monitor";

/// A weighted sum of metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// Weight, task and metric of each part.
    parts: Vec<(f64, usize, MetricName)>,
    text: String,
}

impl Monitor {
    /// Reads `auc`, `click.auc`, `click.auc + 0.5*convert.auc`.
    ///
    /// # Errors
    /// Names that are no tasks or metrics, and sums of what should rise and of what should fall.
    pub(crate) fn parse(text: &str, tasks: &[Task]) -> Result<Self, TrainError> {
        if text.trim().is_empty() {
            return Err(bad(KEY, "is empty; name a metric, or remove the key"));
        }
        let parts = text.split('+').map(|part| one(part.trim(), tasks)).collect::<Result<Vec<_>, _>>()?;
        let rises = |part: &(f64, usize, MetricName)| part.2.larger_is_better();
        if parts.iter().any(|part| rises(part) != rises(&parts[0])) {
            return Err(bad(
                KEY,
                "adds up metrics of which some are better the larger and some the smaller; take one kind",
            ));
        }
        Ok(Self { parts, text: text.trim().to_string() })
    }

    /// The sum of what each task is usually judged by.
    ///
    /// # Errors
    /// Tasks of which some are judged by what should rise and some by what should fall: their sum says nothing.
    pub(crate) fn usual(tasks: &[Task]) -> Result<Self, TrainError> {
        let of = |(number, task): (usize, &Task)| (1.0, number, task.measurable.monitor());
        let parts: Vec<_> = tasks.iter().enumerate().map(of).collect();
        let name = |(_, task, metric): &(f64, usize, MetricName)| match tasks.len() {
            1 => metric.name(),
            _ => format!("{}.{}", tasks[*task].name, metric.name()),
        };
        let names: Vec<String> = parts.iter().map(name).collect();
        let rises = parts[0].2.larger_is_better();
        match parts.iter().any(|part| part.2.larger_is_better() != rises) {
            true => Err(bad(
                KEY,
                format!(
                    "is missing: of {} some are better the larger and some the smaller, so that nothing says which epoch is best; name one, or a weighted sum of one kind",
                    names.join(", ")
                ),
            )),
            false => Ok(Self { parts, text: names.join(" + ") }),
        }
    }

    /// The tasks and metrics that it looks at.
    pub(crate) fn metrics(&self) -> impl Iterator<Item = (usize, MetricName)> {
        self.parts.iter().map(|(_, task, metric)| (*task, *metric))
    }

    /// Its value; none where a part is undefined.
    pub(crate) fn value(&self, metrics: &TaskMetrics) -> Option<f64> {
        let part = |(weight, task, metric): &(f64, usize, MetricName)| {
            Some(weight * metrics.0.get(*task)?.1.get(&metric.name())?)
        };
        self.parts.iter().map(part).sum()
    }

    /// Whether a value is better than another.
    pub(crate) fn improves(&self, best: f64, value: f64) -> bool {
        match self.parts[0].2.larger_is_better() {
            true => value > best,
            false => value < best,
        }
    }

    /// As a config has it.
    pub fn name(&self) -> &str {
        &self.text
    }
}

fn one(text: &str, tasks: &[Task]) -> Result<(f64, usize, MetricName), TrainError> {
    let (weight, name) = match text.split_once('*') {
        Some((weight, name)) => {
            let parsed = weight.trim().parse::<f64>().ok().filter(|w| *w > 0.0 && w.is_finite());
            let weight = parsed.ok_or_else(|| bad(KEY, format!("`{}` is no weight above 0", weight.trim())))?;
            (weight, name.trim())
        }
        None => (1.0, text),
    };
    let names = || tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>().join(", ");
    let (task, metric) = match name.split_once('.') {
        Some((task, metric)) => {
            let place = tasks.iter().position(|own| own.name == task);
            (place.ok_or_else(|| bad(KEY, format!("`{task}` is no task; there are {}", names())))?, metric)
        }
        None if tasks.len() > 1 => {
            return Err(bad(
                KEY,
                format!("`{name}` does not say of which task; write {}.{name} (there are {})", tasks[0].name, names()),
            ));
        }
        None => (0, name),
    };
    if metric.contains([' ', '-', '(', ')', '/', '*']) {
        return Err(bad(
            KEY,
            format!("`{text}` is neither a metric nor a weight times one; write sums such as click.auc + 0.5*buy.auc"),
        ));
    }
    let metric = MetricName::parse(KEY, metric)?;
    metric.check(KEY, &tasks[task].measurable)?;
    Ok((weight, task, metric))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Experiment;
    use burnrec_record::Metrics;

    fn tasks() -> Vec<Task> {
        let text = "data = { source = \"x\" }\n[features.fields]\na = \"categorical\"\n[tasks.click]\nlabel = \"c\"\n[tasks.buy]\nlabel = \"b\"\n[model.mlp]\n";
        toml::from_str::<Experiment>(text).unwrap().check().unwrap().tasks().to_vec()
    }

    #[test]
    fn sums_are_read_and_weighed() {
        let tasks = tasks();
        let monitor = Monitor::parse("click.auc + 0.5*buy.auc", &tasks).unwrap();
        let of = |auc: f64| Metrics(vec![("auc".into(), Ok(auc))]);
        let metrics = TaskMetrics(vec![("click".into(), of(0.7)), ("buy".into(), of(0.6))]);
        assert!((monitor.value(&metrics).unwrap() - 1.0).abs() < 1e-12);
        assert!(monitor.improves(0.9, 1.0));
        assert_eq!(Monitor::usual(&tasks).unwrap().name(), "click.auc + buy.auc");
        for text in ["auc", "view.auc", "click.aucc", "-1*click.auc", "click.auc + buy.logloss", ""] {
            assert!(Monitor::parse(text, &tasks).is_err(), "{text}");
        }
    }
}
