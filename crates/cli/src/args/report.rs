//! What looking at runs takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::parse::length;

/// `burnrec report`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  burnrec report runs/deepfm/1                        writes runs/deepfm/1/report.html
  burnrec report runs/deepfm/1 runs/dcn_v2/1 --open   compares two runs, the second with the first
  burnrec report runs/deepfm/* --format md            a table for notes")]
pub struct ReportArgs {
    /// The folder of a run, a sweep, a replay or a simulation, or a folder of runs, of which the latest is taken; several runs are
    /// compared with the first.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = ReportFormat::Html)]
    pub format: ReportFormat,
    /// Where it goes: by default a page into the folder it is of, or to ./report.html where runs are compared; text to standard
    /// output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Open the page in a browser.
    #[arg(long)]
    pub open: bool,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// One page that needs no network.
    Html,
    /// Markdown.
    Md,
    /// JSON.
    Json,
    /// An event file of TensorBoard for each run; --out names its folder, which is the run's own `tensorboard` by default.
    Tensorboard,
}

/// `burnrec serve-report`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  burnrec serve-report runs/deepfm/1      then open http://127.0.0.1:7878")]
pub struct ServeArgs {
    /// The folder of a run, a sweep, a replay or a simulation; several runs are compared.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// The port; 0 takes any that is free.
    #[arg(long, default_value_t = 7878)]
    pub port: u16,
    /// The address to listen at: that of this machine alone, unless another is given. Everyone who can reach it can read the runs.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: std::net::IpAddr,
}

/// `burnrec watch`
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The folder of a run, or of runs, of which the latest is watched.
    pub run: PathBuf,
    /// How long to wait for a folder that is not there yet: `30s`, `5m`.
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub wait: Option<burnrec_data::windows::Length>,
}

/// `burnrec runs`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  burnrec runs --sort auc                       the best AUC first
  burnrec runs --where train.learning_rate=0.01 --where model.deepfm
  burnrec runs experiments --json")]
pub struct RunsArgs {
    /// The folder to look through.
    #[arg(default_value = "runs")]
    pub folder: PathBuf,
    /// Sort by a metric (`auc`, `click.auc`), or by `began`, `seconds` or `speed`; the best first: the largest AUC, the smallest log-loss.
    #[arg(long, value_name = "METRIC")]
    pub sort: Option<String>,
    /// Only runs of this setting: `train.epochs=5`, or `model.deepfm` for those that have it. May be given several times.
    #[arg(long = "where", value_name = "KEY=VALUE")]
    pub filter: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
