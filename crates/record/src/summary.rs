//! What a run comes to: `summary.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metrics::{Reasons, Values};

/// Name of the file with the outcome.
pub const SUMMARY: &str = "summary.json";

/// The outcome of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// `completed`, `stopped_early` (by the monitored metric) or `interrupted` (by a signal).
    pub status: String,
    /// The model's name.
    pub model: String,
    /// The tasks, in their order.
    pub tasks: Vec<String>,
    /// The device, with the reason of a fallback.
    pub device: DeviceFacts,
    /// Where the tables were at the end: `host`, `device` or `mixed`.
    pub placement: String,
    /// The run's seed.
    pub seed: u64,
    /// Epochs trained.
    pub epochs: usize,
    /// The epoch whose weights were tested, from 1.
    pub best_epoch: usize,
    /// Rows of each side.
    pub rows: BTreeMap<String, u64>,
    /// Metrics of each side that was looked at.
    pub metrics: BTreeMap<String, Values>,
    /// What ranking items by their training rows comes to on the same sides, where items are ranked: side → baseline.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub baselines: BTreeMap<String, BTreeMap<String, Values>>,
    /// Why metrics are null.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub undefined: BTreeMap<String, Reasons>,
    /// Speed of the training steps.
    pub throughput: Throughput,
    /// Seconds of each phase.
    pub seconds: BTreeMap<String, f64>,
    /// Sizes.
    pub parameters: Parameters,
    /// The largest resident set of the process; none where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// Version of burnrec.
    pub version: String,
}

/// What is known of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// `flex`, `wgpu`, …
    pub kind: String,
    /// The processor or adapter.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// Whether it is a CPU that stands in for a GPU.
    pub software: bool,
    /// The largest buffer that a kernel can bind, in bytes; none for the CPU.
    pub max_binding_bytes: Option<u64>,
    /// The largest buffer, in bytes; none for the CPU.
    pub max_buffer_bytes: Option<u64>,
    /// Why this device stands in for the one asked for.
    pub fallback: Option<String>,
    /// Its number where devices are listed: `wgpu:1` is the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
}

/// Speed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// Training rows a second, data loading included.
    pub rows_per_second: f64,
    /// Median time of a step, waiting for data included.
    pub median_step_ms: f64,
}

/// Sizes of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// Dense weights.
    pub dense: u64,
    /// Rows of all tables.
    pub embedding_rows: u64,
    /// Their floats.
    pub embedding_floats: u64,
    /// Those that are not zero.
    pub embedding_non_zero: u64,
}

impl Summary {
    /// Its file's text.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}
