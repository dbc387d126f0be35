//! Events: a line each in `metrics.jsonl`.

use serde::{Deserialize, Serialize};

use crate::metrics::{Reasons, TaskMetrics, Values};

/// Name of the file with an event a line.
pub const EVENTS: &str = "metrics.jsonl";

/// Values that were found at a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds since 1970.
    pub time: f64,
    /// `train` or `test`.
    pub phase: String,
    /// The epoch, from 1.
    pub epoch: usize,
    /// Steps taken.
    pub step: u64,
    /// The rows that it is of: `train`, `valid`, `test`.
    pub split: String,
    /// The values.
    pub metrics: Values,
    /// Why some are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub undefined: Reasons,
}

impl Event {
    /// An event of now.
    pub fn now(phase: &str, epoch: usize, step: u64, split: &str, metrics: &TaskMetrics) -> Self {
        let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        Self {
            time,
            phase: phase.into(),
            epoch,
            step,
            split: split.into(),
            metrics: metrics.values(),
            undefined: metrics.reasons(),
        }
    }

    /// An event from its line; none where the line is none.
    pub fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// Its line, without the break.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metrics;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let metrics = Metrics(vec![("auc".into(), Ok(0.5)), ("ne".into(), Err("one class".into()))]);
        let event = Event::now("train", 2, 30, "valid", &TaskMetrics(vec![("click".into(), metrics)]));
        assert_eq!(Event::read(&event.line()), Some(event));
        assert_eq!(Event::read("{\"time\": 3"), None);
    }
}
