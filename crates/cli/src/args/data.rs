//! What data takes.

use std::path::PathBuf;

use burnrec_data::{Encoding, FormatKind};
use clap::{Args, Subcommand};

use super::parse::{parse_encoding, parse_format};

/// `burnrec data …`
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// List the public data sets.
    List(DataListArgs),
    /// Fetch a public data set.
    Fetch(FetchArgs),
    /// Look at the columns of a file.
    Inspect(InspectArgs),
    /// Generate a click log with a known best AUC, as Parquet.
    Generate(GenerateArgs),
}

/// `burnrec data list`
#[derive(Debug, Args)]
pub struct DataListArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// The folder of public data sets.
    #[arg(long, value_name = "FOLDER", default_value = "datasets", env = "BURNREC_DATA")]
    pub data_dir: PathBuf,
}

/// `burnrec data fetch`
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// The name of the data set, as `burnrec data list` shows it.
    pub name: String,
    /// The folder of public data sets.
    #[arg(long, value_name = "FOLDER", default_value = "datasets", env = "BURNREC_DATA")]
    pub data_dir: PathBuf,
}

/// `burnrec data inspect`
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A file, or a folder of files.
    pub path: PathBuf,
    /// The format: csv, tsv, parquet, jsonl or libsvm; by default inferred from the extension.
    #[arg(long, value_parser = parse_format)]
    pub format: Option<FormatKind>,
    /// The delimiter of a text file; detected where the header has no comma, else `,` for CSV and a tab for TSV.
    #[arg(long)]
    pub delimiter: Option<String>,
    /// The quote of a text file, or `none`.
    #[arg(long)]
    pub quote: Option<String>,
    /// The escape character within quotes, such as `\\`.
    #[arg(long)]
    pub escape: Option<char>,
    /// How text is written: utf8, utf16 or latin1.
    #[arg(long, value_parser = parse_encoding)]
    pub encoding: Option<Encoding>,
    /// Cells that are missing values.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub null: Option<Vec<String>>,
    /// The file has no header line: columns are called c1, c2 and so on.
    #[arg(long, conflicts_with = "names")]
    pub no_header: bool,
    /// Column names of a file without a header line.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub names: Option<Vec<String>>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `burnrec data generate`
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// A TOML file with the generator's keys, or `criteo` for the default log.
    pub spec: String,
    /// Where the Parquet file goes.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Rows; overrides the file.
    #[arg(long)]
    pub rows: Option<u64>,
    /// Seed; overrides the file.
    #[arg(long)]
    pub seed: Option<u64>,
}
