//! What a run comes to: `summary.json`.

use std::collections::BTreeMap;
use std::path::Path;

use burnrec_backend::DeviceFacts;
use serde::Serialize;
use serde_json::Value;

use crate::error::TrainError;
use crate::files::write_whole;
use crate::folder::SUMMARY;

/// The outcome of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// `completed`, `stopped_early` (by the monitored metric) or `interrupted` (by a signal).
    pub status: &'static str,
    /// The model's name.
    pub model: &'static str,
    /// The device, with the reason of a fallback.
    pub device: DeviceFacts,
    /// Where the tables were at the end: `host`, `device` or `mixed`.
    pub placement: &'static str,
    /// The run's seed.
    pub seed: u64,
    /// Epochs trained, and the best of them.
    pub epochs: usize,
    /// The epoch whose weights were tested, from 1.
    pub best_epoch: usize,
    /// Rows of each side.
    pub rows: BTreeMap<&'static str, u64>,
    /// Metrics of each side that was looked at.
    pub metrics: BTreeMap<&'static str, Value>,
    /// What ranking items by their training rows comes to on the same sides, where items are ranked.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub baselines: BTreeMap<&'static str, Value>,
    /// Why metrics are null.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub undefined: BTreeMap<&'static str, Value>,
    /// Speed of the training steps.
    pub throughput: Throughput,
    /// Seconds of each phase.
    pub seconds: BTreeMap<&'static str, f64>,
    /// Sizes.
    pub parameters: Parameters,
    /// The largest resident set of the process; none where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// Version of burnrec.
    pub version: &'static str,
}

/// Speed.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Throughput {
    /// Training rows a second, data loading included.
    pub rows_per_second: f64,
    /// Median time of a step, waiting for data included.
    pub median_step_ms: f64,
}

/// Sizes of a model.
#[derive(Clone, Copy, Debug, Default, Serialize)]
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
    /// Writes it into the run folder, whole or not at all.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), TrainError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        write_whole(&folder.join(SUMMARY), format!("{text}\n").as_bytes())
    }
}

/// The largest resident set of this process so far.
pub(crate) fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
