//! What training takes, and looking at what would be trained.

use std::path::PathBuf;

use clap::Args;

use super::common::Overrides;

/// `burnrec train`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  burnrec train clicks.toml
  burnrec train clicks.toml --device flex --set train.epochs=5 --set model.deepfm.dropout=0.2
  burnrec train clicks.toml --resume")]
pub struct TrainArgs {
    /// The experiment file.
    pub config: PathBuf,
    /// The run folder; `runs/NAME/ID` by default.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Continue the run at --out, or the latest of this name.
    #[arg(long)]
    pub resume: bool,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// `burnrec check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Experiment files.
    #[arg(required = true)]
    pub configs: Vec<PathBuf>,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
}
