//! What asking a trained model takes.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::common::Place;
use super::parse::at_least_one;

/// `burnrec evaluate`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  burnrec evaluate runs/deepfm                       the test side of the run's own split
  burnrec evaluate runs/deepfm --input other.csv --json")]
pub struct EvaluateArgs {
    /// A run folder, or a folder of runs, of which the latest is taken.
    pub run: PathBuf,
    /// The side of the run's own split: train, valid or test.
    #[arg(long, default_value = "test", value_parser = ["train", "valid", "test"])]
    pub split: String,
    /// Rows of another file, all of them, in the place of a side of the split.
    #[arg(long, value_name = "PATH", conflicts_with = "split")]
    pub input: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// The device.
    #[command(flatten)]
    pub place: Place,
}

/// `burnrec predict`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  burnrec predict runs/deepfm --input rows.csv --output scored.csv")]
pub struct PredictArgs {
    /// A run folder, or a folder of runs, of which the latest is taken.
    pub run: PathBuf,
    /// The rows: CSV, TSV, JSONL or Parquet, told by the extension.
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// Where the rows go with a column `prediction`, or `prediction_TASK` for each of several tasks: .csv, .tsv, .jsonl or .parquet.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Columns of the input to keep, by default all.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// The device.
    #[command(flatten)]
    pub place: Place,
}

/// `burnrec recommend`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  burnrec recommend runs/youtube_dnn --users users.csv --k 10 --exclude-seen --output top.csv")]
pub struct RecommendArgs {
    /// A run folder whose config has `[features.items]`, or a folder of runs, of which the latest is taken.
    pub run: PathBuf,
    /// Who is asked for: a file with the column of users that the run was trained with.
    #[arg(long, value_name = "FILE", required_unless_present = "vectors")]
    pub users: Option<PathBuf>,
    /// Users whose vectors were kept by their clients, a line each: user, version, numbers, with tabs between.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "exclude_seen", "skip_unknown"])]
    pub vectors: Option<PathBuf>,
    /// Number of items per user.
    #[arg(long, default_value_t = 100, value_parser = at_least_one)]
    pub k: usize,
    /// Leave out what a user saw already, liked or not.
    #[arg(long)]
    pub exclude_seen: bool,
    /// Leave out users that the training rows do not know. Otherwise they are answered where the file describes them, and an
    /// error where it has their ids alone.
    #[arg(long)]
    pub skip_unknown: bool,
    /// Where the rows go (user, rank, item, score): .csv, .tsv, .jsonl or .parquet; standard output by default.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The device.
    #[command(flatten)]
    pub place: Place,
}

/// `burnrec export`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  burnrec export runs/youtube_dnn --embeddings items.arrow       the vectors of all items
  burnrec export runs/deepfm --of item_id --embeddings ids.vec   what the ids of a field look up
  burnrec export runs/deepfm --of item_id --projector look       for TensorBoard's projector
  burnrec export runs/live --deltas exports                      what changed, for serving copies")]
#[command(group = ArgGroup::new("what").args(["embeddings", "projector", "deltas", "client"]).required(true))]
pub struct ExportArgs {
    /// A run folder, or a folder of runs, of which the latest is taken.
    pub run: PathBuf,
    /// Where the vectors go: .arrow (columns id and vector), or .txt and .vec for word2vec's text.
    #[arg(long, value_name = "FILE")]
    pub embeddings: Option<PathBuf>,
    /// A folder for the projector of TensorBoard: the vectors, and what each is called; with `--items`, every column of that file.
    #[arg(long, value_name = "FOLDER")]
    pub projector: Option<PathBuf>,
    /// A folder of exports for copies that serve: the whole model the first time, what changed since then every time after it.
    #[arg(long, value_name = "FOLDER", conflicts_with = "items")]
    pub deltas: Option<PathBuf>,
    /// A slate for clients that keep their user's vector themselves: the items' vectors, their version, and the rule by which users
    /// are made of them; of all items, or of those of `--items`.
    #[arg(long, value_name = "FILE")]
    pub client: Option<PathBuf>,
    /// Whose vectors: items or users, of models that give those; or the name of a categorical, multi or sequence field, for the
    /// vectors that its ids look up.
    #[arg(long, default_value = "items", value_name = "items|users|FIELD", conflicts_with_all = ["deltas", "client"])]
    pub of: String,
    /// Items of another file, known or new, by the fields that describe them.
    #[arg(long, value_name = "FILE")]
    pub items: Option<PathBuf>,
    /// The device.
    #[command(flatten)]
    pub place: Place,
}

/// `burnrec apply`
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The folder of exports that `export --deltas` writes, or one export in it.
    pub exports: PathBuf,
    /// The folder of the copy; created if it does not exist.
    #[arg(long, value_name = "FOLDER")]
    pub to: PathBuf,
}
