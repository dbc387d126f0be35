//! What a first config takes.

use std::path::PathBuf;

use burnrec_data::FormatKind;
use clap::Args;

use super::parse::parse_format;

/// `burnrec new`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  burnrec new clicks.csv && burnrec train clicks.toml
  burnrec new ratings.parquet --label rating --out first.toml
  burnrec new log.tsv --no-header --label c1")]
pub struct NewArgs {
    /// A file of rows, or a folder of files.
    pub data: PathBuf,
    /// The config that is written; by default the data's name with .toml, in the working folder.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The column to learn, where the guess is wrong.
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// The column of users, or `none`.
    #[arg(long, value_name = "COLUMN")]
    pub user: Option<String>,
    /// The column of items, or `none`.
    #[arg(long, value_name = "COLUMN")]
    pub item: Option<String>,
    /// The column of event times, or `none`.
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// The data's format: csv, tsv, parquet, jsonl or libsvm; by default inferred from the extension.
    #[arg(long, value_parser = parse_format)]
    pub format: Option<FormatKind>,
    /// The delimiter of a text file; detected where the header has no comma.
    #[arg(long)]
    pub delimiter: Option<String>,
    /// The file has no header line: columns are called c1, c2 and so on.
    #[arg(long)]
    pub no_header: bool,
}
