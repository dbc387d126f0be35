//! What a user types.

mod ask;
mod bench;
mod common;
mod data;
mod explain;
mod fresh;
mod manual;
mod new;
mod parse;
mod report;
mod rl;
mod sweep;
mod train;

pub use ask::{ApplyArgs, EvaluateArgs, ExportArgs, PredictArgs, RecommendArgs};
pub use bench::BenchArgs;
pub use common::{JsonArgs, Overrides, Place};
pub use data::{DataCommand, DataListArgs, FetchArgs, GenerateArgs, InspectArgs};
pub use explain::ExplainArgs;
pub use fresh::{OnlineArgs, ReplayArgs, RollbackArgs, UpdateArgs};
pub use manual::{CompletionsArgs, ManArgs, SchemaArgs, SchemaOf};
pub use new::NewArgs;
pub use report::{ReportArgs, ReportFormat, RunsArgs, ServeArgs, WatchArgs};
pub use rl::{OpeArgs, SimulateArgs};
pub use sweep::{FuseArgs, SweepArgs};
pub use train::{CheckArgs, TrainArgs};

use clap::{Parser, Subcommand, ValueEnum};

/// Train recommender models: one TOML file, one command, one folder per run.
#[derive(Debug, Parser)]
#[command(name = "burnrec", version, about, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How the log on standard error looks.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log: LogFormat,
}

/// How the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first experiment file from a data file, each guess explained in it.
    New(NewArgs),
    /// Train the model of an experiment file.
    Train(TrainArgs),
    /// Try settings out: trials of the experiment's `[sweep]`, ranked by `train.monitor`.
    Sweep(SweepArgs),
    /// Combine the scores of several runs into one, with weights that are given or searched for.
    Fuse(FuseArgs),
    /// Keep a model fresh over a log in every way of the experiment's `[schedule]`, side by side: each window is predicted before
    /// it is learned from.
    Replay(ReplayArgs),
    /// Keep a model fresh: learn from the windows of a log that came since the last time, in one way of the experiment's
    /// `[schedule]`. Exit code 1 where the gate refused what a window made.
    Update(UpdateArgs),
    /// Go back: make the model that was published before the current one the published model of a run again.
    Rollback(RollbackArgs),
    /// Let a trained model learn from events as they arrive: a few at a time are predicted, then learned from.
    Online(OnlineArgs),
    /// Let agents act side by side in an environment, and learn from what comes of it.
    Simulate(SimulateArgs),
    /// Estimate what a policy would have earned, from the log of another one (off-policy evaluation).
    Ope(OpeArgs),
    /// Measure a trained model on a side of its data, or on other rows.
    Evaluate(EvaluateArgs),
    /// Score rows: probabilities beside the columns of the input, in its order.
    Predict(PredictArgs),
    /// Name the best items of each user.
    Recommend(RecommendArgs),
    /// Export vectors (of items, users or a field's ids), a slate for clients, or deltas for serving copies.
    Export(ExportArgs),
    /// Apply to a serving copy the exports of a model that it does not have yet.
    Apply(ApplyArgs),
    /// Explain a setting, a model, a metric, or one score of a run.
    Explain(ExplainArgs),
    /// Write a report of a run, or compare several runs.
    Report(ReportArgs),
    /// Show the page of runs in a browser, live, to this machine alone unless another address is given.
    ServeReport(ServeArgs),
    /// Follow a run: print its metrics as they are written, until it ends.
    Watch(WatchArgs),
    /// List run folders with their figures.
    Runs(RunsArgs),
    /// Explain what an experiment file would run, and run nothing.
    Check(CheckArgs),
    /// List the devices that answer.
    Devices(JsonArgs),
    /// List the models, each with its paper.
    Models(JsonArgs),
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
    /// Print the manual page, or write the pages of all commands.
    Man(ManArgs),
    /// Print the JSON schema of a kind of file, for editors.
    Schema(SchemaArgs),
    /// Measure training steps against the machine's ceilings.
    Bench(BenchArgs),
    /// Fetch public data sets, inspect files, generate click logs.
    #[command(subcommand)]
    Data(DataCommand),
}
