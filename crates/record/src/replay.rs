//! What ways to keep a model fresh come to, side by side: the `summary.json` of a replay.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::metrics::Values;
use crate::summary::DeviceFacts;

/// The outcome of a replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplaySummary {
    /// `completed`, or `interrupted` by a signal.
    pub status: String,
    /// The model's name.
    pub model: String,
    /// The device.
    pub device: DeviceFacts,
    /// The run's seed.
    pub seed: u64,
    /// Rows: `start` of the first stretch, `judged` of the windows behind it.
    pub rows: BTreeMap<String, u64>,
    /// Windows that were judged.
    pub windows: usize,
    /// A way each: its metrics over all rows that were predicted before they were learned from, with `rows` that it learned from
    /// and `seconds` that this took.
    pub replay: BTreeMap<String, Way>,
    /// Version of burnrec.
    pub version: String,
}

/// What one way came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Way(pub Map<String, Value>);

impl Way {
    /// Of its metrics and its cost.
    pub fn new(metrics: Values, rows: u64, seconds: f64) -> Self {
        let mut all = metrics.0;
        all.insert("rows".into(), rows.into());
        all.insert("seconds".into(), seconds.into());
        Self(all)
    }

    /// A metric of a task; the task's name is not looked at where there is only one.
    pub fn get(&self, task: &str, metric: &str) -> Option<f64> {
        Values(self.0.clone()).get(task, metric)
    }
}

impl ReplaySummary {
    /// Its file's text.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}
