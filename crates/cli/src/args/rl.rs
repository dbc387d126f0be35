//! What learning from feedback takes.

use std::path::PathBuf;

use clap::Args;

use super::common::Overrides;

/// `burnrec simulate`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  burnrec simulate configs/drn/news_simulator.toml --out runs/news")]
pub struct SimulateArgs {
    /// The simulation file, with an `[environment]`.
    pub config: PathBuf,
    /// The folder; `runs/NAME/ID` by default.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Go on with the simulation at --out.
    #[arg(long, requires = "out")]
    pub resume: bool,
    /// Only these agents, by name.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub only: Option<Vec<String>>,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// `burnrec ope`
#[derive(Debug, Args)]
pub struct OpeArgs {
    /// The file, with the log in `[data]` and what is evaluated in `[ope]`.
    pub config: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
}
