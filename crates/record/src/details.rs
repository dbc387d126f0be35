//! What a run's report shows beside its metrics: `details.json`, aggregates alone.

use serde::{Deserialize, Serialize};

/// Name of the file with what the report shows.
pub const DETAILS: &str = "details.json";

/// What was found about a trained model on one side of its data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// The side that was looked at: `test`, or `valid` where there is no test.
    pub side: String,
    /// A task each.
    pub tasks: Vec<TaskDetails>,
    /// What each field is worth to the model, the most first.
    pub importance: Vec<FieldImportance>,
    /// Rows that the importance of fields was found on.
    pub importance_rows: u64,
    /// Fields whose ids were not all known from training, on the rows that the importance was found on.
    pub unseen: Vec<UnseenIds>,
    /// The tables of vectors.
    pub tables: Vec<TableDetails>,
    /// Settings that are not the default.
    pub settings: Vec<Setting>,
    /// What the run warned of.
    pub warnings: Vec<String>,
}

/// One task's scores beside its labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskDetails {
    /// Its name.
    pub task: String,
    /// Rows whose label is known.
    pub rows: u64,
    /// A hash of their labels and groups in their order: runs of another one were judged on other rows.
    pub fingerprint: String,
    /// The share of them whose label is 1; none of other kinds of labels.
    pub positive_rate: Option<f64>,
    /// Bins of equally many rows, the smallest predictions first; empty where scores are no probabilities.
    pub calibration: Vec<CalibrationBin>,
    /// How probabilities are spread, by class.
    pub scores: Option<ScoreHistogram>,
    /// AUC within groups, by how many rows they have.
    pub groups: Vec<GroupBin>,
    /// What is drawn again and again for the intervals: `group` or `row`.
    pub unit: String,
    /// Metrics, over and over on rows drawn with replacement.
    pub draws: Vec<MetricDraws>,
}

/// Rows that are predicted alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Rows.
    pub rows: u64,
    /// Mean prediction.
    pub predicted: f64,
    /// Share of positive rows.
    pub observed: f64,
}

/// Bins of equal width between two probabilities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreHistogram {
    /// Where the first bin starts.
    pub low: f64,
    /// Where the last one ends; rows beyond are in it.
    pub high: f64,
    /// Rows of label 0.
    pub negatives: Vec<u64>,
    /// Rows of label 1.
    pub positives: Vec<u64>,
}

/// Groups of a size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupBin {
    /// The fewest rows of a group.
    pub from: u64,
    /// The most; none where there is no bound.
    pub to: Option<u64>,
    /// Groups of both classes.
    pub groups: u64,
    /// Their rows.
    pub rows: u64,
    /// AUC within them, weighted by rows.
    pub auc: f64,
}

/// A metric and its value on rows drawn with replacement. Draws of one number are the same groups, or rows, in every run over the
/// same data, so that runs are compared draw by draw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricDraws {
    /// The metric.
    pub metric: String,
    /// Its value on the rows as they are.
    pub value: f64,
    /// Whether larger is better.
    pub larger_is_better: bool,
    /// Its values; none where it is undefined.
    pub draws: Vec<Option<f64>>,
}

/// How much worse a task is judged when a field's values go to other rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FieldImportance {
    /// The field.
    pub field: String,
    /// The task.
    pub task: String,
    /// What it is judged by.
    pub metric: String,
    /// By how much it gets worse; below 0 where it gets better.
    pub loss: f64,
    /// Standard deviation over the shuffles; 0 where there was one.
    pub spread: f64,
}

/// Ids of a field without a row of their own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UnseenIds {
    /// The field.
    pub field: String,
    /// Its ids on the rows that were looked at.
    pub ids: u64,
    /// Those that training did not know, or knew too few rows of.
    pub unseen: u64,
}

/// A table of vectors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableDetails {
    /// Which of the model's lookups it is of.
    pub lookup: String,
    /// Its fields.
    pub fields: Vec<String>,
    /// Rows that hold an id.
    pub rows: u64,
    /// Ids that wait to be let in.
    pub waiting: u64,
    /// Rows whose id was forgotten, free for others.
    pub free: u64,
    /// Width of its vectors.
    pub dim: usize,
    /// Rows that no step touched.
    pub untouched: u64,
    /// The longest vector among those looked at.
    pub largest_norm: f64,
    /// Lengths of vectors in bins of equal width from 0 to the longest.
    pub norms: Vec<u64>,
}

/// A setting that is not the default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Its key: `train.learning_rate`.
    pub key: String,
    /// Its value, as TOML.
    pub value: String,
    /// The default, as TOML; none where there is none.
    pub default: Option<String>,
}

impl Details {
    /// Its file's text.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}
