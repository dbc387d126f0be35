//! What trying settings out takes, and fusing scores.

use std::path::PathBuf;

use clap::Args;

use super::common::{Overrides, Place};

/// `burnrec sweep`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  burnrec sweep clicks.toml --out runs/tried
  burnrec sweep clicks.toml --out runs/tried --resume")]
pub struct SweepArgs {
    /// The experiment file, with a `[sweep]`.
    pub config: PathBuf,
    /// The folder of the sweep: its ledger, its table and the runs of its trials; `runs/NAME/ID` by default.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Continue the sweep at --out.
    #[arg(long, requires = "out")]
    pub resume: bool,
    /// The table as JSON.
    #[arg(long)]
    pub json: bool,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// `burnrec fuse`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  burnrec fuse fuse.toml --input rows.csv --output scored.csv")]
pub struct FuseArgs {
    /// The file with `[fuse]`.
    pub config: PathBuf,
    /// Rows of a file to score by all runs: CSV, TSV, JSONL or Parquet.
    #[arg(long, value_name = "FILE", requires = "output")]
    pub input: Option<PathBuf>,
    /// Where the rows go, with a column `fused` and a column per score: .csv, .tsv, .jsonl or .parquet.
    #[arg(long, value_name = "FILE", requires = "input")]
    pub output: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Override a key of the file: `fuse.scores.click.weight=0.5`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The device.
    #[command(flatten)]
    pub place: Place,
}
