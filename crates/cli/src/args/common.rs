//! What several commands take.

use std::path::PathBuf;

use burnrec_backend::DeviceChoice;
use clap::Args;

/// Settings that stand in for those of the file.
#[derive(Clone, Debug, Default, Args)]
pub struct Overrides {
    /// Override a key of the file: `--set train.learning_rate=0.01`. May be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The device: auto, wgpu, flex, ndarray, vulkan or cuda; of several GPUs by number: cuda:1. By default what `backend.device`
    /// says, which is auto.
    #[arg(long, value_name = "NAME")]
    pub device: Option<DeviceChoice>,
    /// CPU threads; by default what `backend.threads` says, else all cores.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// The folder of public data sets and generated logs.
    #[arg(long, value_name = "FOLDER", default_value = "datasets", env = "BURNREC_DATA")]
    pub data_dir: PathBuf,
}

/// Where a command computes.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// The device: auto, wgpu, flex, ndarray, vulkan or cuda (of several GPUs by number: cuda:1); the run's own by default.
    #[arg(long, value_name = "NAME")]
    pub device: Option<DeviceChoice>,
    /// CPU threads; by default what `backend.threads` says, else all cores.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// The folder of public data sets.
    #[arg(long, value_name = "FOLDER", default_value = "datasets", env = "BURNREC_DATA")]
    pub data_dir: PathBuf,
}

/// Commands that list things.
#[derive(Debug, Args)]
pub struct JsonArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
