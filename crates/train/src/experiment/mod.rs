//! The experiment file as a whole.

mod loss;
mod mixer;
mod rate;
mod schedule;
mod sweep;
mod tasks;
mod train;
mod wildcards;

use burnrec_backend::DeviceChoice;
use burnrec_data::DataConfig;
use burnrec_embedding::Placement;
use burnrec_features::FeaturesConfig;
use burnrec_models::ModelConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use loss::LossKind;
pub use mixer::{MixerConfig, Normalise, Over};
pub use rate::RateSchedule;
pub use schedule::{
    Between, CombinedConfig, FullConfig, GateConfig, IncrementalConfig, OnlineConfig, ScheduleConfig, StaleConfig,
    Start,
};
pub use sweep::{SweepCase, SweepConfig, SweepMethod, SweepRange};
pub use tasks::{TaskConfig, TasksConfig};
pub use train::{DenseOptimizer, DenseRule, TrainConfig};

/// One experiment: what to learn from, what to learn, how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name and seed.
    #[serde(default)]
    pub run: RunConfig,
    /// Where it computes.
    #[serde(default)]
    pub backend: BackendConfig,
    /// Where the rows come from.
    pub data: DataConfig,
    /// What the columns mean.
    pub features: FeaturesConfig,
    /// What is learned: `[tasks.NAME]`, one or more.
    #[serde(default)]
    pub tasks: TasksConfig,
    /// The model: `[model.NAME]` with its settings.
    pub model: ModelConfig,
    /// How it is trained.
    #[serde(default)]
    pub train: TrainConfig,
    /// How the model is kept fresh over a log of events; `burnrec replay` and `burnrec update` go by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleConfig>,
    /// Settings that are tried out; `burnrec sweep` goes by it, and all else trains the experiment as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepConfig>,
}

/// Name and seed of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// The run's folder is `runs/NAME/ID`.
    pub name: String,
    /// Seed of first weights, shuffling and dropout.
    pub seed: u64,
    /// Whether a run ends with what its report shows: how scores and labels agree, intervals, what each field is worth
    /// (`details.json`), and the page itself (`report.html`).
    pub report: bool,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self { name: "run".into(), seed: 1, report: true }
    }
}

/// Where a run computes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackendConfig {
    /// The device: `"auto"` (a GPU where one answers, else the CPU), `"wgpu"`, `"flex"` (the CPU), `"ndarray"`, `"vulkan"` or
    /// `"cuda"`; of several GPUs by its number, as `burnrec devices` lists them: `"cuda:1"`.
    pub device: DeviceChoice,
    /// CPU threads; all cores when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Where the tables live.
    pub placement: Placement,
}
