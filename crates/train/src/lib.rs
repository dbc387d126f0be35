//! Training: experiments and their tasks, objectives, the step, phases, metrics, checkpoints, the run folder.

mod caching;
mod calibrate;
mod checked;
mod details;
mod error;
mod experiment;
mod feed;
pub mod fuse;
mod measure;
pub mod metrics;
mod monitor;
mod objective;
mod online;
mod retrieve;
mod run;
mod session;
mod step;
mod stop;
pub mod sweep;
mod task;
mod weights;

pub use calibrate::{Calibration, CalibrationKind};
pub use checked::{Checked, THREADS};
pub use details::{Attention, Explained, ExplainedRow, GateShares, explain};
pub use error::TrainError;
pub use experiment::{
    BackendConfig, Between, CombinedConfig, DenseOptimizer, DenseRule, Experiment, FullConfig, GateConfig,
    IncrementalConfig, LossKind, MixerConfig, OnlineConfig, RateSchedule, RunConfig, ScheduleConfig, StaleConfig,
    Start, SweepCase, SweepConfig, SweepMethod, SweepRange, TaskConfig, TasksConfig, TrainConfig,
};
pub use feed::{Prepared, prepare};
pub use measure::{Asked, Column, Measurement, Predicted, Scored, Values, measure, predict, score_rows};
pub use monitor::Monitor;
pub use objective::{Compares, HostTarget, Labels, Link, Objective, Takes};
pub use online::{Beat, OnlineJob, Streamed, begin_stream, is_stream, online};
pub use retrieve::{Retriever, TopK, values};
pub use run::{Apart, RunFolder, SavedModel, Verdict, published, roll_back, trees_of, write_whole};
pub use session::{Ending, Job, Notice, Observer, Phase, Session, StartFrom, check_rows, check_trainable, train};
pub use step::{
    Dense, Fixed, GateUse, Mixed, Mixer, MixerState, Pass, Statistics, Stepped, Stepper, Trainable, Walked,
};
pub use stop::Stop;
pub use task::Task;
pub use weights::{Frozen, Weights, check_placement, table_device};
