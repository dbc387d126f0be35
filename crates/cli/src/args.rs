//! What a user types.

use std::path::PathBuf;

use burnrec_backend::DeviceName;
use burnrec_data::{Encoding, FormatKind};
use burnrec_embedding::Placement;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Train recommender models: one TOML file, one run, one folder.
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
    /// One JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train the model of an experiment file.
    Train(TrainArgs),
    /// Keep a model fresh over a log in every way of the experiment's `[schedule]`, side by side: each window is predicted before
    /// it is learned from.
    Replay(ReplayArgs),
    /// Keep a model fresh: learn from the windows of a log that came since the last time, in one way of the experiment's
    /// `[schedule]`. Exit code 1 where the gate refused what a window made.
    Update(UpdateArgs),
    /// Make the model that was published before the best one of a run again.
    Rollback(RollbackArgs),
    /// Let a trained model learn from events as they come: each few are predicted, then learned from.
    Online(OnlineArgs),
    /// Measure a trained model on a side of its data, or on other rows.
    Evaluate(EvaluateArgs),
    /// Score rows: probabilities beside the columns of the input, in its order.
    Predict(PredictArgs),
    /// Name the best items of each user.
    Recommend(RecommendArgs),
    /// Write what a model learned for others to use: the vectors of items or users.
    Export(ExportArgs),
    /// Take exports of a model in that a copy does not have yet.
    Apply(ApplyArgs),
    /// Explain what an experiment file would run, and run nothing.
    Check(CheckArgs),
    /// List the devices that answer.
    Devices(JsonArgs),
    /// List the models, each with its paper.
    Models(JsonArgs),
    /// Print the JSON schema of experiment files, for editors.
    Schema,
    /// Measure training steps against the machine's ceilings.
    Bench(BenchArgs),
    /// Public data sets, files, generated logs.
    #[command(subcommand)]
    Data(DataCommand),
}

/// Settings that stand in for those of the file.
#[derive(Clone, Debug, Default, Args)]
pub struct Overrides {
    /// Override a key of the file: `--set train.learning_rate=0.01`. May be given often.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The device: auto, wgpu, flex, ndarray, vulkan or cuda.
    #[arg(long, value_name = "NAME")]
    pub device: Option<DeviceName>,
    /// CPU threads.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// The folder of public data sets and generated logs.
    #[arg(long, value_name = "FOLDER", default_value = "datasets", env = "BURNREC_DATA")]
    pub data_dir: PathBuf,
}

/// `burnrec train`
#[derive(Debug, Args)]
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

/// `burnrec replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The experiment file, with a `[schedule]`.
    pub config: PathBuf,
    /// The folder; `runs/NAME/ID` by default.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Go on with the replay at --out, or the latest of this name.
    #[arg(long)]
    pub resume: bool,
    /// Some of the ways alone: stale, incremental, combined, online, full.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub only: Option<Vec<String>>,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// `burnrec update`
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// The experiment file, with a `[schedule]`.
    pub config: PathBuf,
    /// The run folder, the same every time.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// The way, where the config has several: incremental, combined, online, full.
    #[arg(long, value_name = "WAY")]
    pub by: Option<String>,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// `burnrec rollback`
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The run folder.
    pub run: PathBuf,
}

/// `burnrec online`
#[derive(Debug, Args)]
pub struct OnlineArgs {
    /// The run whose model goes on learning; it is copied, and stays as it is.
    pub run: PathBuf,
    /// The events: lines of JSON with the columns that the run was trained on; a file, or `-` for standard input.
    #[arg(long, value_name = "PATH", default_value = "-")]
    pub input: PathBuf,
    /// Wait for more at the end of the file.
    #[arg(long)]
    pub follow: bool,
    /// The folder of the job; `runs/NAME/ID` by default.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Go on with the job at --out behind the last event that it learned from. Standard input is taken to begin anew: what was
    /// learned from is passed over.
    #[arg(long, requires = "out")]
    pub resume: bool,
    /// Events that are predicted, then learned from, at a time; as the run's `[schedule.online]` says, else 256.
    #[arg(long, value_parser = at_least_one)]
    pub rows: Option<usize>,
    /// A factor of the learning rates; as the run's `[schedule.online]` says, else 1. FTRL and RDA have none.
    #[arg(long)]
    pub rate: Option<f64>,
    /// How long fewer events wait for more, of a stream that has no end.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = length)]
    pub wait: burnrec_data::windows::Length,
    /// Column of the event time, for the lag; as the run's `[schedule]` says.
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// Events between checkpoints.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub checkpoint_every: u64,
    /// Lines that may be put aside before the job ends with an error.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub max_rejected: u64,
    /// Time between the lines that tell how it goes.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = length)]
    pub beat: burnrec_data::windows::Length,
    /// The device.
    #[command(flatten)]
    pub place: Place,
}

fn length(text: &str) -> Result<burnrec_data::windows::Length, String> {
    burnrec_data::windows::Length::parse(text)
}

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

/// Where a command computes.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// The device: auto, wgpu, flex, ndarray, vulkan or cuda; the run's own by default.
    #[arg(long, value_name = "NAME")]
    pub device: Option<DeviceName>,
    /// CPU threads.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// The folder of public data sets.
    #[arg(long, value_name = "FOLDER", default_value = "datasets", env = "BURNREC_DATA")]
    pub data_dir: PathBuf,
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

/// Commands that list things.
#[derive(Debug, Args)]
pub struct JsonArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

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
    /// Its name.
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
    /// Its format; told by the extension by default.
    #[arg(long, value_parser = parse_format)]
    pub format: Option<FormatKind>,
    /// The delimiter of a text file.
    #[arg(long)]
    pub delimiter: Option<String>,
    /// The quote of a text file, or `none`.
    #[arg(long)]
    pub quote: Option<String>,
    /// What takes the next character's meaning within quotes.
    #[arg(long)]
    pub escape: Option<char>,
    /// How text is written: utf8, utf16 or latin1.
    #[arg(long, value_parser = parse_encoding)]
    pub encoding: Option<Encoding>,
    /// Cells that are missing values.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub null: Option<Vec<String>>,
    /// The first line is a row: columns are called c1, c2 and so on.
    #[arg(long, conflicts_with = "names")]
    pub no_header: bool,
    /// The first line is a row: names of the columns.
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

/// `burnrec bench`
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// A model to train on generated batches, or `all`; the first one when absent. An unknown name lists them.
    #[arg(long)]
    pub workload: Option<String>,
    /// Rows of the table, several with commas: 1e5,1e6.
    #[arg(long, default_value = "1e6", value_delimiter = ',', value_parser = table_rows)]
    pub rows: Vec<u64>,
    /// Behaviours of the longest history, where rows have one; lengths are 1 to this.
    #[arg(long, default_value_t = 50, value_parser = at_least_one)]
    pub history: usize,
    /// Rows of a batch; when absent 4096, with histories 1024.
    #[arg(long, value_parser = at_least_one)]
    pub batch: Option<usize>,
    /// Steps to time, after 5 that warm up.
    #[arg(long, default_value_t = 40, value_parser = at_least_one)]
    pub steps: usize,
    /// The device, several with commas: flex,wgpu.
    #[arg(long, value_name = "NAME", default_value = "flex", value_delimiter = ',')]
    pub device: Vec<DeviceName>,
    /// Where tables live, several with commas: host,device.
    #[arg(long, value_name = "WHERE", default_value = "auto", value_delimiter = ',', value_parser = parse_placement)]
    pub placement: Vec<Placement>,
    /// Measure the machine's ceilings alone.
    #[arg(long)]
    pub ceilings: bool,
    /// CPU threads.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Compare training from Parquet on disk with training from memory, on this many generated rows.
    #[arg(long, value_name = "ROWS")]
    pub from_disk: Option<u64>,
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "must be a whole number of at least 1".into())
}

fn table_rows(text: &str) -> Result<u64, String> {
    let rows: f64 = text.parse().map_err(|_| "must be a number such as 1e6".to_string())?;
    match rows.fract() == 0.0 && (1e3..=4e9).contains(&rows) {
        true => Ok(rows as u64),
        false => Err("must be a whole number in 1e3..=4e9".into()),
    }
}

fn parse_placement(name: &str) -> Result<Placement, String> {
    match name {
        "auto" => Ok(Placement::Auto),
        "host" => Ok(Placement::Host),
        "device" => Ok(Placement::Device),
        _ => Err("the placements are auto, host, device".into()),
    }
}

fn parse_encoding(name: &str) -> Result<Encoding, String> {
    match name {
        "utf8" => Ok(Encoding::Utf8),
        "utf16" => Ok(Encoding::Utf16),
        "latin1" => Ok(Encoding::Latin1),
        _ => Err("the encodings are utf8, utf16, latin1".into()),
    }
}

fn parse_format(name: &str) -> Result<FormatKind, String> {
    match name {
        "csv" => Ok(FormatKind::Csv),
        "tsv" => Ok(FormatKind::Tsv),
        "parquet" => Ok(FormatKind::Parquet),
        "jsonl" => Ok(FormatKind::Jsonl),
        "libsvm" => Ok(FormatKind::Libsvm),
        _ => Err("the formats are csv, tsv, parquet, jsonl, libsvm".into()),
    }
}
