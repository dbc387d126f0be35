//! The `[train]` table of an experiment file.

use burnrec_embedding::{Admission, Eviction, SparseOptimizer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::experiment::mixer::MixerConfig;
use crate::experiment::rate::RateSchedule;

/// How a model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training rows, at most.
    #[schemars(range(min = 1))]
    pub epochs: usize,
    /// Rows per step; when absent a 128th of the training rows, from 64 to 1024, so that an epoch of few rows has steps enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16777216))]
    pub batch_size: Option<usize>,
    /// Learning rate of the dense weights.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Optimiser of the dense weights.
    pub optimizer: DenseOptimizer,
    /// Optimiser of the tables, unless the model says otherwise.
    pub sparse: SparseOptimizer,
    /// How new ids of growing tables are let in; each that was seen `min_count` times when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admit: Option<Admission>,
    /// Which ids of growing tables are forgotten, so that they stay bounded; none when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evict: Option<Eviction>,
    /// How the learning rates change over steps; FTRL and RDA have schedules of their own and ignore it.
    pub schedule: RateSchedule,
    /// How the losses of several tasks are weighted, or their gradients mixed: `mixer = { kind = "pcgrad" }`; fixed when absent.
    pub mixer: MixerConfig,
    /// Steps over which the rate rises linearly from 0.
    pub warmup_steps: u64,
    /// Losses over lists: rows of a list, at most; longer groups are cut at random.
    #[schemars(range(min = 2))]
    pub list_size: usize,
    /// Largest norm of all gradients together; unlimited when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub clip_norm: Option<f64>,
    /// L1 strength on the dense weight matrices, not on biases.
    #[schemars(range(min = 0))]
    pub l1: f64,
    /// L2 strength on the dense weight matrices, not on biases.
    #[schemars(range(min = 0))]
    pub l2: f64,
    /// What decides which epoch is best, of validation metrics: `auc`, or with several tasks `click.auc`, or a weighted sum
    /// such as `click.auc + 0.5*convert.auc` or `auc - 0.25*logloss`. When absent the sum of what each task is usually
    /// judged by: for a probability `auc - 0.25*logloss`, so that of two epochs that rank alike the calibrated one is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// Epochs without a better `monitor` after which training stops; never when 0.
    pub patience: usize,
    /// Whether, once validation found the best epoch, a model is trained again for as many epochs on the rows of training and
    /// validation together; that model is the run's result. The first one stays in the run folder's `search`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refit: bool,
    /// Steps between checkpoints inside an epoch; only at the end of epochs when 0.
    pub checkpoint_every: u64,
    /// Steps between loss values that are read from the device and logged.
    #[schemars(range(min = 1))]
    pub log_every: u64,
    /// Whether training rows are shuffled.
    pub shuffle: bool,
    /// Rows in the shuffle buffer.
    #[schemars(range(min = 1, max = 2147483648u64))]
    pub shuffle_rows: usize,
    /// Batches prepared ahead.
    #[schemars(range(min = 1, max = 4096))]
    pub prefetch: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 100,
            batch_size: None,
            learning_rate: 1e-3,
            optimizer: DenseOptimizer::default(),
            sparse: SparseOptimizer::default(),
            admit: None,
            evict: None,
            schedule: RateSchedule::default(),
            mixer: MixerConfig::default(),
            warmup_steps: 0,
            list_size: 64,
            clip_norm: None,
            l1: 0.0,
            l2: 0.0,
            monitor: None,
            patience: 3,
            refit: false,
            checkpoint_every: 0,
            log_every: 100,
            shuffle: true,
            shuffle_rows: 262_144,
            prefetch: 4,
        }
    }
}

/// Optimiser of the dense weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DenseOptimizer {
    /// The update rule.
    pub kind: DenseRule,
    /// Adam's decay of the first moment.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta_1: f32,
    /// Adam's decay of the second moment.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta_2: f32,
    /// Added to the root in Adam and Adagrad.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub epsilon: f32,
    /// AdamW's decoupled weight decay.
    #[schemars(range(min = 0))]
    pub weight_decay: f32,
    /// SGD's momentum, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub momentum: f64,
    /// Whether SGD's momentum is Nesterov's.
    pub nesterov: bool,
}

impl Default for DenseOptimizer {
    fn default() -> Self {
        Self {
            kind: DenseRule::Adam,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            momentum: 0.0,
            nesterov: false,
        }
    }
}

/// An update rule of dense weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DenseRule {
    /// Kingma & Ba, ICLR 2015.
    Adam,
    /// Adam with decoupled weight decay (Loshchilov & Hutter, ICLR 2019).
    Adamw,
    /// Duchi et al., JMLR 2011.
    Adagrad,
    /// Gradient descent, with momentum if set.
    Sgd,
}

fn bad(key: &str, problem: &str) -> Result<(), TrainError> {
    Err(TrainError::Setting { key: format!("train.{key}"), problem: problem.to_string() })
}

impl TrainConfig {
    /// Rows a step, with so many training rows.
    pub fn rows_a_step(&self, training_rows: u64) -> usize {
        let share = (training_rows / 128).clamp(64, 1024) as usize;
        // The power of two below.
        self.batch_size.unwrap_or(1 << share.ilog2())
    }

    /// Refuses settings that cannot work by themselves.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let at_least_zero = |x: f64| x >= 0.0 && x.is_finite();
        match self {
            _ if self.epochs == 0 => bad("epochs", "must be at least 1")?,
            _ if !self.batch_size.is_none_or(|rows| (1..=1 << 24).contains(&rows)) => {
                bad("batch_size", "must lie in 1..=16777216")?
            }
            _ if !positive(self.learning_rate) => bad("learning_rate", "must be above 0")?,
            _ if !self.clip_norm.is_none_or(positive) => bad("clip_norm", "must be above 0")?,
            _ if !at_least_zero(self.l1) => bad("l1", "must be at least 0")?,
            _ if !at_least_zero(self.l2) => bad("l2", "must be at least 0")?,
            _ if self.log_every == 0 => bad("log_every", "must be at least 1")?,
            _ if self.shuffle_rows > 1 << 31 => bad("shuffle_rows", "must be at most 2147483648")?,
            _ if self.shuffle_rows == 0 => {
                bad("shuffle_rows", "must be at least 1; set shuffle = false to keep the order")?
            }
            _ if !(1..=4096).contains(&self.prefetch) => bad("prefetch", "must lie in 1..=4096")?,
            _ if self.refit && matches!(self.schedule, RateSchedule::Plateau { .. }) => {
                bad("refit", "has no rows that validate, which schedule = plateau goes by; take another schedule")?
            }
            _ if self.list_size < 2 => bad("list_size", "must be at least 2")?,
            _ => {}
        }
        self.sparse.check("train.sparse")?;
        if let Some(Err((key, problem))) = self.admit.as_ref().map(Admission::check) {
            return bad(&format!("admit.{key}"), problem);
        }
        if let Some(Err((key, problem))) = self.evict.as_ref().map(Eviction::check) {
            return bad(&format!("evict.{key}"), problem);
        }
        self.optimizer.check()?;
        self.schedule.check()
    }
}

impl DenseOptimizer {
    fn check(&self) -> Result<(), TrainError> {
        match self {
            _ if !(0.0..1.0).contains(&self.beta_1) => bad("optimizer.beta_1", "must lie in 0..1, 1 excluded"),
            _ if !(0.0..1.0).contains(&self.beta_2) => bad("optimizer.beta_2", "must lie in 0..1, 1 excluded"),
            _ if !(self.epsilon > 0.0 && self.epsilon.is_finite()) => bad("optimizer.epsilon", "must be above 0"),
            _ if !(0.0..1.0).contains(&self.momentum) => bad("optimizer.momentum", "must lie in 0..1, 1 excluded"),
            _ if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) => {
                bad("optimizer.weight_decay", "must be at least 0")
            }
            _ if self.weight_decay > 0.0 && self.kind != DenseRule::Adamw => {
                bad("optimizer.weight_decay", "goes with kind = \"adamw\"; use train.l2 elsewhere")
            }
            _ if self.nesterov && self.momentum == 0.0 => bad("optimizer.nesterov", "needs momentum above 0"),
            _ if (self.beta_1, self.beta_2) != (0.9, 0.999)
                && !matches!(self.kind, DenseRule::Adam | DenseRule::Adamw) =>
            {
                bad("optimizer.beta_1", "and beta_2 go with kind = \"adam\" and \"adamw\"; remove them")
            }
            _ if self.epsilon != 1e-8 && self.kind == DenseRule::Sgd => {
                bad("optimizer.epsilon", "has no meaning for kind = \"sgd\"; remove it")
            }
            _ if (self.momentum > 0.0 || self.nesterov) && self.kind != DenseRule::Sgd => {
                bad("optimizer.momentum", "goes with kind = \"sgd\"")
            }
            _ => Ok(()),
        }
    }
}
