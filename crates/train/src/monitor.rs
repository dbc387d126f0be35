//! What decides which epoch is best: a task's metric, or a weighted sum of such.

use burnrec_record::TaskMetrics;

use crate::error::{TrainError, bad};
use crate::metrics::MetricName;
use crate::task::Task;

const KEY: &str = "train.monitor";

/// What the log-loss counts beside the AUC where nothing else is asked for.
const CALIBRATION: f64 = 0.25;

/// A weighted sum of metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// Weight, task and metric of each part.
    parts: Vec<(f64, usize, MetricName)>,
    text: String,
}

impl Monitor {
    /// Reads `auc`, `click.auc`, `click.auc + 0.5*convert.auc`, `auc - 0.25*logloss`.
    ///
    /// # Errors
    /// Names that are no tasks or metrics, and sums that are better neither the larger nor the smaller.
    pub(crate) fn parse(text: &str, tasks: &[Task]) -> Result<Self, TrainError> {
        if text.trim().is_empty() {
            return Err(bad(KEY, "is empty; name a metric, or remove the key"));
        }
        let mut parts = Vec::new();
        for plus in text.split('+') {
            for (number, part) in plus.split(" - ").enumerate() {
                let (weight, task, metric) = one(part.trim(), tasks)?;
                parts.push((if number == 0 { weight } else { -weight }, task, metric));
            }
        }
        if parts.iter().any(|part| rises(part) != rises(&parts[0])) {
            return Err(bad(
                KEY,
                "adds up metrics of which some are better the larger and some the smaller; take one kind, or subtract the other: auc - 0.25*logloss",
            ));
        }
        Ok(Self { parts, text: text.trim().to_string() })
    }

    /// The sum of what each task is usually judged by: of probabilities how well they rank, less a share of how far they are
    /// off, since epochs that rank alike are seldom calibrated alike.
    ///
    /// # Errors
    /// Tasks of which some are judged by what should rise and some by what should fall: their sum says nothing.
    pub(crate) fn usual(tasks: &[Task]) -> Result<Self, TrainError> {
        let mut parts: Vec<(f64, usize, MetricName)> = Vec::new();
        for (number, task) in tasks.iter().enumerate() {
            let metric = task.measurable.monitor();
            parts.push((1.0, number, metric));
            let calibrated = task.measurable.usual().contains(&MetricName::LogLoss);
            if metric == MetricName::Auc && calibrated {
                parts.push((-CALIBRATION, number, MetricName::LogLoss));
            }
        }
        let name = |(_, task, metric): &(f64, usize, MetricName)| match tasks.len() {
            1 => metric.name(),
            _ => format!("{}.{}", tasks[*task].name, metric.name()),
        };
        if parts.iter().any(|part| rises(part) != rises(&parts[0])) {
            let names: Vec<String> = parts.iter().filter(|part| part.0 > 0.0).map(name).collect();
            return Err(bad(
                KEY,
                format!(
                    "is missing: of {} some are better the larger and some the smaller, so that nothing says which epoch is best; name one, or a weighted sum of one kind",
                    names.join(", ")
                ),
            ));
        }
        let term = |part: &(f64, usize, MetricName)| match part.0 {
            weight if weight < 0.0 => format!(" - {}*{}", -weight, name(part)),
            _ => format!(" + {}", name(part)),
        };
        let text = parts.iter().map(term).collect::<String>();
        Ok(Self { parts, text: text.trim_start_matches(" + ").to_string() })
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

    /// Its value in what a summary has of a side.
    pub fn value_in(&self, tasks: &[Task], values: &burnrec_record::Values) -> Option<f64> {
        let part = |(weight, task, metric): &(f64, usize, MetricName)| {
            Some(weight * values.get(&tasks.get(*task)?.name, &metric.name())?)
        };
        self.parts.iter().map(part).sum()
    }

    /// Whether it is better the larger.
    pub fn rises(&self) -> bool {
        self.parts.first().is_none_or(rises)
    }

    /// Whether a value is better than another.
    pub(crate) fn improves(&self, best: f64, value: f64) -> bool {
        match rises(&self.parts[0]) {
            true => value > best,
            false => value < best,
        }
    }

    /// As a config has it.
    pub fn name(&self) -> &str {
        &self.text
    }
}

/// Whether a sum is better the larger, by one of its parts.
fn rises((weight, _, metric): &(f64, usize, MetricName)) -> bool {
    metric.larger_is_better() == (*weight > 0.0)
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
        let usual = Monitor::usual(&tasks).unwrap();
        assert_eq!(usual.name(), "click.auc - 0.25*click.logloss + buy.auc - 0.25*buy.logloss");
        assert_eq!(Monitor::parse(usual.name(), &tasks).unwrap().parts, usual.parts);
        let one = |auc: f64, logloss: f64| {
            let of = || Metrics(vec![("auc".into(), Ok(auc)), ("logloss".into(), Ok(logloss))]);
            usual.value(&TaskMetrics(vec![("click".into(), of()), ("buy".into(), of())])).unwrap()
        };
        // Alike in rank: the calibrated one. Better in rank by more than a quarter of what it is worse in log-loss: that one.
        assert!(usual.improves(one(0.96463, 0.0134), one(0.96460, 0.0082)));
        assert!(usual.improves(one(0.784, 0.562), one(0.786, 0.566)));
        for text in
            ["auc", "view.auc", "click.aucc", "-1*click.auc", "click.auc + buy.logloss", "click.auc - buy.auc", ""]
        {
            assert!(Monitor::parse(text, &tasks).is_err(), "{text}");
        }
    }
}
