//! Scores of new rows, in their order.

use std::sync::Arc;

use burnrec_data::{RowStream, Source};
use burnrec_features::{Draws, Encoder, Purpose};

use super::chain::given;
use super::score::{Asked, score_rows};
use crate::checked::Checked;
use crate::error::{TrainError, bad};
use crate::metrics::largest;
use crate::objective::Link;
use crate::stop::Stop;
use crate::task::{Task, given_name};
use crate::weights::Weights;

/// The name of the only task's predictions; those of several are `prediction_NAME`.
const PREDICTION: &str = "prediction";

/// What is predicted of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// `prediction`, or `prediction_NAME`.
    pub name: String,
    /// One entry a row.
    pub values: Values,
}

impl Column {
    /// The same with the rows of `order`, by their places here.
    #[must_use]
    pub fn in_order(self, order: &[usize]) -> Self {
        let values = match self.values {
            Values::Numbers(all) => Values::Numbers(order.iter().map(|row| all[*row]).collect()),
            Values::Classes(all) => Values::Classes(order.iter().map(|row| all[*row].clone()).collect()),
        };
        Self { name: self.name, values }
    }
}

/// What a stream of rows came to.
#[derive(Clone, Debug, Default)]
pub struct Predicted {
    /// One entry a column.
    pub columns: Vec<Column>,
    /// The group of every row; empty where the rows have no such column.
    pub groups: Vec<u64>,
    /// The inputs of whose ids none was learned from, by their place in the schema, and how many ids they have.
    pub strangers: Vec<(usize, u64)>,
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Probabilities, numbers, or scores that only compare, where the loss gives no more.
    Numbers(Vec<f32>),
    /// The most likely of several classes.
    Classes(Vec<String>),
}

fn probability(odds: f32) -> f32 {
    (1.0 / (1.0 + (-f64::from(odds)).exp())) as f32
}

/// Predicts all rows of a stream: a column a task; of a task of several classes the most likely one and a column of
/// probabilities a class; of a chain of tasks also each given the one before it.
///
/// # Errors
/// Unreadable rows, and models that score no rows.
pub fn predict(
    weights: &Weights,
    checked: &Checked,
    encoder: &Arc<Encoder>,
    rows: RowStream,
    source: &Arc<dyn Source>,
) -> Result<Predicted, TrainError> {
    if checked.learns_pairs() {
        let problem = "a model of pairs scores no rows; use recommend, or export its vectors";
        return Err(bad("features.pairs", problem));
    }
    let tasks = checked.tasks();
    let asked = Asked { rows, source, encoder, purpose: Purpose::Predict, draws: Draws::Nothing, cache: None };
    let scored = score_rows(weights, tasks, asked, &Stop::default())?;
    let chain = checked.experiment().model.reads().heads.multiplies();
    let title = |of: &str| if tasks.len() == 1 { PREDICTION.to_string() } else { format!("{PREDICTION}_{of}") };
    let mut columns = Vec::new();
    for (task, scores) in tasks.iter().zip(&scored.scores) {
        match checked.schema().targets[task.target].classes() {
            Some(classes) => columns.extend(of_classes(&title(&task.name), classes, scores)),
            None => columns.push(Column { name: title(&task.name), values: Values::Numbers(linked(task, scores)) }),
        }
        if let Some(parent) = task.parent.filter(|_| chain) {
            let pairs = scores.iter().zip(&scored.scores[parent]);
            let values = Values::Numbers(pairs.map(|(own, above)| probability(given(*own, *above))).collect());
            columns.push(Column { name: title(&given_name(&task.name, &tasks[parent].name)), values });
        }
    }
    Ok(Predicted { columns, groups: scored.groups, strangers: scored.strangers.found().collect() })
}

fn linked(task: &Task, scores: &[f32]) -> Vec<f32> {
    match task.objective.link() {
        Link::Sigmoid => scores.iter().map(|s| probability(*s)).collect(),
        _ => scores.to_vec(),
    }
}

fn of_classes(title: &str, classes: &[String], scores: &[f32]) -> Vec<Column> {
    let (mut best, mut shares) = (Vec::new(), vec![Vec::new(); classes.len()]);
    for scores in scores.chunks(classes.len()) {
        best.push(classes[largest(scores)].clone());
        let most = scores.iter().copied().fold(f32::MIN, f32::max);
        let powers: Vec<f64> = scores.iter().map(|s| f64::from(s - most).exp()).collect();
        let total: f64 = powers.iter().sum();
        shares.iter_mut().zip(powers).for_each(|(share, power)| share.push((power / total) as f32));
    }
    let own = shares.into_iter().zip(classes);
    let own =
        own.map(|(values, class)| Column { name: format!("{title}_is_{class}"), values: Values::Numbers(values) });
    std::iter::once(Column { name: title.to_string(), values: Values::Classes(best) }).chain(own).collect()
}
