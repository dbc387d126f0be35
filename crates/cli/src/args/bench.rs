//! What measuring takes.

use std::path::PathBuf;

use burnrec_backend::DeviceChoice;
use burnrec_embedding::Placement;
use clap::Args;

use super::parse::{at_least_one, parse_placement, table_rows};

/// `burnrec bench`
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The model to train on generated batches, or `all`; deepfm when absent. An unknown name lists them.
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
    pub device: Vec<DeviceChoice>,
    /// Where tables live, several with commas: host,device.
    #[arg(long, value_name = "WHERE", default_value = "auto", value_delimiter = ',', value_parser = parse_placement)]
    pub placement: Vec<Placement>,
    /// Measure only the machine's ceilings, and train nothing.
    #[arg(long)]
    pub ceilings: bool,
    /// CPU threads; all cores by default.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Compare training from Parquet on disk with training from memory, on this many generated rows.
    #[arg(long, value_name = "ROWS")]
    pub from_disk: Option<u64>,
    /// Time the kernels of a few more steps, by the device's own timestamps, and print what each took.
    #[arg(long)]
    pub profile: bool,
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
