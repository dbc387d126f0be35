//! What the benchmark trains, read from `workloads.toml`: models, the shape of their rows, their tasks.

use std::collections::BTreeMap;

use burnrec_data::DataConfig;
use burnrec_features::{FeaturesConfig, FieldConfig, FieldKind, IndexPolicy};
use burnrec_models::ModelConfig;
use burnrec_train::{Checked, Experiment, RunConfig, TaskConfig, TasksConfig, TrainConfig};
use serde::Deserialize;

use crate::error::CliError;

const TEXT: &str = include_str!("workloads.toml");
/// Categorical fields of a log.
const FIELDS: usize = 26;
/// Numbers of a log.
const NUMBERS: usize = 13;
/// The share of rows whose label is 1.
pub const POSITIVE: f64 = 0.25;

/// The shape of generated rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rows {
    /// Criteo's.
    Log,
    /// Users, items, categories, with histories of the latter two.
    Histories,
}

/// A workload.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// The shape of its rows.
    pub rows: Rows,
    /// Tasks.
    #[serde(default = "one")]
    tasks: usize,
    /// The model.
    model: ModelConfig,
}

fn one() -> usize {
    1
}

fn all() -> toml::Table {
    TEXT.parse().unwrap_or_default()
}

/// The names of all workloads, in their order.
pub fn names() -> Vec<String> {
    all().keys().cloned().collect()
}

impl Workload {
    /// The workload of this name.
    pub fn named(name: &str) -> Result<Self, CliError> {
        let table = all().remove(name).ok_or_else(|| {
            CliError::Usage(format!("--workload {name}: the workloads are {}, or all", names().join(", ")))
        })?;
        table.try_into().map_err(|e: toml::de::Error| CliError::Usage(format!("--workload {name}: {}", e.message())))
    }

    /// Rows of a batch, unless the command line says otherwise.
    pub fn batch(&self) -> usize {
        if self.rows == Rows::Histories { 1024 } else { 4096 }
    }

    /// Looked-up vectors of a mean history that is `history` long at most.
    pub fn positions(&self, history: usize) -> f64 {
        if self.rows == Rows::Histories { (1 + history) as f64 / 2.0 } else { 0.0 }
    }

    /// The ids of each categorical field, in the schema's order, over tables of this many rows.
    pub fn sizes(&self, rows: u64) -> Vec<u64> {
        match self.rows {
            Rows::Log => {
                let share = |f: usize| 0.7f64.powi(f as i32);
                let total: f64 = (0..FIELDS).map(share).sum();
                (0..FIELDS).map(|f| ((rows as f64 * share(f) / total) as u64).max(4)).collect()
            }
            Rows::Histories => histories(rows).map(|field| field.3).to_vec(),
        }
    }

    /// Its experiment, over tables of this many rows.
    pub fn experiment(&self, rows: u64) -> Result<Checked, CliError> {
        let fields = match self.rows {
            Rows::Log => log_fields(&self.sizes(rows)),
            Rows::Histories => history_fields(rows),
        };
        self.of_fields(fields, |number| format!("label{number}"))
    }

    /// The same over other fields, its tasks over these columns.
    pub fn of_fields(
        &self,
        fields: BTreeMap<String, FieldConfig>,
        label: impl Fn(usize) -> String,
    ) -> Result<Checked, CliError> {
        let task = |number: usize| (format!("task{number}"), TaskConfig::of(&label(number)));
        let experiment = Experiment {
            sweep: None,
            run: RunConfig::default(),
            backend: Default::default(),
            data: DataConfig::of("bench"),
            features: FeaturesConfig::of(fields),
            tasks: TasksConfig((0..self.tasks).map(task).collect()),
            model: self.model.clone(),
            train: TrainConfig::default(),
            schedule: None,
        };
        Ok(experiment.check()?)
    }
}

fn id(ids: u64) -> FieldConfig {
    let buckets = u32::try_from(ids).ok();
    FieldConfig { index: Some(IndexPolicy::Modulo), buckets, ..FieldConfig::default() }
}

fn log_fields(sizes: &[u64]) -> BTreeMap<String, FieldConfig> {
    let category = |(f, size): (usize, &u64)| (format!("c{f:02}"), id(*size));
    let number = |n: usize| (format!("n{n:02}"), FieldConfig { kind: FieldKind::Numeric, ..FieldConfig::default() });
    sizes.iter().enumerate().map(category).chain((0..NUMBERS).map(number)).collect()
}

/// Fields with their table, the history that they go along with, and their ids.
fn histories(rows: u64) -> [(&'static str, &'static str, Option<&'static str>, u64); 5] {
    let categories = (rows / 100).max(4);
    [
        ("category", "category", None, categories),
        ("history", "item", Some("history"), rows),
        ("history_category", "category", Some("history"), categories),
        ("item", "item", None, rows),
        ("user", "user", None, rows),
    ]
}

fn history_fields(rows: u64) -> BTreeMap<String, FieldConfig> {
    let field = |(name, table, along, ids): (&str, &str, Option<&str>, u64)| {
        let config = FieldConfig {
            kind: if along.is_some() { FieldKind::Sequence } else { FieldKind::Categorical },
            table: Some(table.to_string()),
            along: along.filter(|a| *a != name).map(str::to_string),
            ..id(ids)
        };
        (name.to_string(), config)
    };
    histories(rows).map(field).into()
}
