//! The ledger of a schedule: a line of JSON a phase that is done, with what it read and what it made.

use serde::{Deserialize, Serialize};

use crate::metrics::Values;

/// Its name in a run folder.
pub const LEDGER: &str = "ledger.jsonl";

/// A phase that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the plan: 0 is the first stretch.
    pub phase: usize,
    /// The way that it is a phase of.
    #[serde(default)]
    pub way: String,
    /// `start`, `round`, `full`, `online` or `judge`.
    pub what: String,
    /// The window that it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Read>,
    /// Steps that were taken so far.
    pub step: u64,
    /// Rows that were learned from so far, each as often as it was.
    pub rows_learned: u64,
    /// Metrics of the window's rows, predicted before they were learned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Values>,
    /// What the gate decided of what the phase before made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// Seconds that it took.
    pub seconds: f64,
    /// Fingerprint of the checkpoint that it made.
    pub made: String,
}

/// What a gate decided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Log-loss of the published model on the window.
    pub published: f64,
    /// That of the candidate.
    pub candidate: f64,
    /// Whether the candidate was published.
    pub passes: bool,
}

/// A window as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// The first moment, in nanoseconds since 1970.
    pub from: i64,
    /// The first moment behind it.
    pub to: i64,
    /// Its rows.
    pub rows: u64,
    /// A sum over what they hold.
    pub sum: String,
}
