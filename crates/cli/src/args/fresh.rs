//! What keeping a model fresh takes.

use std::path::PathBuf;

use clap::Args;

use super::common::{Overrides, Place};
use super::parse::{at_least_one, length};

/// `burnrec replay`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  burnrec replay configs/ml-100k/daily.toml --only incremental,full")]
pub struct ReplayArgs {
    /// The experiment file, with a `[schedule]`.
    pub config: PathBuf,
    /// The folder; `runs/NAME/ID` by default.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Go on with the replay at --out, or the latest of this name.
    #[arg(long)]
    pub resume: bool,
    /// Only these ways: stale, calibrated, incremental, combined, online, full.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub only: Option<Vec<String>>,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// `burnrec update`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  burnrec update daily.toml --out runs/live --by incremental")]
pub struct UpdateArgs {
    /// The experiment file, with a `[schedule]`.
    pub config: PathBuf,
    /// The run folder, the same every time.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// The way, where the config has several: calibrated, incremental, combined, online, full.
    #[arg(long, value_name = "WAY")]
    pub by: Option<String>,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// `burnrec rollback`
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The run folder that `update` keeps fresh.
    pub run: PathBuf,
}

/// `burnrec online`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  burnrec online runs/lr --input events.jsonl --follow --out runs/on
  tail -F events.jsonl | burnrec online runs/lr --out runs/on")]
pub struct OnlineArgs {
    /// The run whose model goes on learning, or a folder of runs, of which the latest is taken; it is copied, and stays as it is.
    pub run: PathBuf,
    /// The events, with the columns that the run was trained on: JSON lines from a file or standard input (`-`), or a
    /// Redis stream: `redis://HOST:PORT/DATABASE`, `redis+unix:///SOCKET`.
    #[arg(long, value_name = "PATH|URL", default_value = "-")]
    pub input: PathBuf,
    /// Wait for more at the end of the file or the stream.
    #[arg(long)]
    pub follow: bool,
    /// The stream's key in Redis.
    #[arg(long)]
    pub key: Option<String>,
    /// The consumer group, of this job alone; it is made where it is not there, at the beginning of the stream, and an entry
    /// is acknowledged once a checkpoint has it.
    #[arg(long, value_name = "NAME", default_value = "burnrec")]
    pub group: String,
    /// The field of an entry that holds the event as a line of JSON; without it, an entry's fields are the columns.
    #[arg(long, value_name = "FIELD")]
    pub field: Option<String>,
    /// The folder of the job; `runs/NAME-online/ID` by default.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Go on with the job at --out after the last event that it learned from. Standard input is expected to start from the
    /// beginning; events already learned from are skipped.
    #[arg(long, requires = "out")]
    pub resume: bool,
    /// Events that are predicted, then learned from, at a time; as the run's `[schedule.online]` says, else 256.
    #[arg(long, value_parser = at_least_one)]
    pub rows: Option<usize>,
    /// A factor of the learning rates; as the run's `[schedule.online]` says, else 1. FTRL and RDA have none.
    #[arg(long)]
    pub rate: Option<f64>,
    /// How long a batch of fewer than --rows events waits for more, where the stream has no end.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = length)]
    pub wait: burnrec_data::windows::Length,
    /// Column of the event time, to report the lag; by default that of the run's `[schedule]`.
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// How long an event waits, in event time, for later lines with its id that bring labels, and no input of the model:
    /// `{"id": 5, "time": …, "buy": 1}`. A label of 0 and 1 of which nothing is heard is 0. What waits is saved with the job.
    #[arg(long, value_name = "TIME", value_parser = length, requires = "event_id")]
    pub label_window: Option<burnrec_data::windows::Length>,
    /// Column of an event's id, for --label-window.
    #[arg(long, value_name = "COLUMN", requires = "label_window")]
    pub event_id: Option<String>,
    /// The stream has every event as a negative of this task at once, and once more as a positive when it turns out one: weigh
    /// them so that what is learned is the true rate. The name may be left out where one task alone is of 0 and 1.
    #[arg(long, value_name = "TASK", num_args = 0..=1, require_equals = true, default_missing_value = "", conflicts_with = "label_window")]
    pub fake_negatives: Option<String>,
    /// Events between checkpoints.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub checkpoint_every: u64,
    /// Lines that may be rejected (to `rejected.jsonl`) before the job ends with an error.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub max_rejected: u64,
    /// Time between progress lines in the log.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = length)]
    pub beat: burnrec_data::windows::Length,
    /// The device.
    #[command(flatten)]
    pub place: Place,
}
