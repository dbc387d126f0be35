//! What asking a trained model takes.

use std::path::PathBuf;

use clap::Args;

use super::common::Place;
use super::parse::at_least_one;

/// `burnrec evaluate`
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// The run folder.
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
pub struct PredictArgs {
    /// The run folder.
    pub run: PathBuf,
    /// The rows: CSV, TSV, JSONL or Parquet, told by the extension.
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// Where the rows go with a column `prediction`: .csv, .tsv, .jsonl or .parquet.
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
pub struct RecommendArgs {
    /// The run folder; its config has `[features.items]`.
    pub run: PathBuf,
    /// Who is asked for: a file with the column of users that the run was trained with.
    #[arg(long, value_name = "FILE", required_unless_present = "vectors")]
    pub users: Option<PathBuf>,
    /// Users whose vectors were kept by their clients, a line each: user, version, numbers, with tabs between.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "exclude_seen", "skip_unknown"])]
    pub vectors: Option<PathBuf>,
    /// Items a user.
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
pub struct ExportArgs {
    /// The run folder.
    pub run: PathBuf,
    /// Where the vectors go: .arrow (columns id and vector), or .txt and .vec for word2vec's text.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["deltas", "client"])]
    pub embeddings: Option<PathBuf>,
    /// A folder of exports for copies that serve: the whole model the first time, what changed since then every time after it.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["embeddings", "items"])]
    pub deltas: Option<PathBuf>,
    /// A slate for clients that keep their user's vector themselves: the items' vectors, their version, and the rule by which users
    /// are made of them; of all items, or of those of `--items`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["embeddings", "deltas"])]
    pub client: Option<PathBuf>,
    /// Whose vectors: items or users.
    #[arg(long, default_value = "items", value_parser = ["items", "users"])]
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
    /// The copy; one that is not there is begun.
    #[arg(long, value_name = "FOLDER")]
    pub to: PathBuf,
}
