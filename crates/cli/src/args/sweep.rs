//! What trying settings out takes, and fusing scores.

use std::path::PathBuf;

use clap::Args;

use super::common::Overrides;

/// `burnrec sweep`
#[derive(Debug, Args)]
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
