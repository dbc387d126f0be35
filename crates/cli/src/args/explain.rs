//! What explaining takes.

use std::path::PathBuf;

use clap::Args;

use super::common::Place;

/// `burnrec explain`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  burnrec explain train.learning_rate       a setting: what it means, what it may be, its default
  burnrec explain deepfm                    a model's settings
  burnrec explain gauc                      a metric
  burnrec explain runs/deepfm/1 --input rows.csv --row 3
                                            what each field adds to one score")]
pub struct ExplainArgs {
    /// A setting by its whole key, a model, a metric, or a run folder.
    pub what: String,
    /// With a run: the file of the row, which the other rows of the file are held against.
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// With a run: the row, from 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub row: Option<u64>,
    /// With a run: print JSON.
    #[arg(long)]
    pub json: bool,
    /// The device.
    #[command(flatten)]
    pub place: Place,
}
