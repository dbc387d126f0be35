//! What each field adds to one score: the score less the mean of what it would be with the field's values of other rows. Exact
//! for models that are sums over fields; of others, what the field does beside the other values of the row.

use std::sync::Arc;

use burn::tensor::Tensor;
use burnrec_features::{Batch, Encoder};
use burnrec_models::Model;

use super::inputs::{fields, moved};
use crate::error::TrainError;
use crate::feed::prepare;
use crate::objective::Link;
use crate::task::Task;
use crate::weights::{Frozen, Weights};

/// One score, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The task.
    pub task: String,
    /// The score as the model gives it: log-odds, or a number before its link.
    pub score: f64,
    /// The mean score of the other rows.
    pub mean: f64,
    /// What each field adds, the largest first.
    pub fields: Vec<(String, f64)>,
    /// Whether the score is the log-odds of a probability.
    pub is_log_odds: bool,
}

/// How much of each expert a gate takes for a row.
#[derive(Clone, Debug, PartialEq)]
pub struct GateShares {
    /// The gate.
    pub gate: String,
    /// The share of each expert.
    pub shares: Vec<f64>,
}

/// How much each position of a history counts for a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Which of the schema's groups of sequences.
    pub group: usize,
    /// Of each position, the oldest first.
    pub weights: Vec<f64>,
}

/// One row's scores, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedRow {
    /// A score a task.
    pub tasks: Vec<Explained>,
    /// What the gates take for the row.
    pub gates: Vec<GateShares>,
    /// What the row's histories are attended by.
    pub attention: Vec<Attention>,
}

/// Takes the score of the only row of `row` apart, beside those of `others`; with what gates and attention take for it.
///
/// # Errors
/// Weights whose last step failed half-way.
pub fn explain(
    weights: &Weights,
    tasks: &[Task],
    encoder: &Arc<Encoder>,
    row: &Batch,
    others: &Batch,
) -> Result<ExplainedRow, TrainError> {
    let frozen = weights.frozen()?;
    let all: Vec<u32> = (0..others.rows as u32).collect();
    let repeated = row.take(&vec![0; others.rows]);
    let widths: Vec<usize> = tasks.iter().map(|task| task.width(encoder.schema())).collect();
    let width: usize = widths.iter().sum();
    // One score a task: callers refuse several classes.
    let first = |task: usize| widths[..task].iter().sum::<usize>();
    let scores = |batch: Batch| read(frozen.scores(ready(&frozen, batch)));
    let mean = |scores: &[f32], at: usize| {
        let own = scores.iter().skip(at).step_by(width).map(|s| f64::from(*s));
        own.sum::<f64>() / (scores.len() / width).max(1) as f64
    };
    let (own, beside) = (scores(row.clone()), scores(others.clone()));
    let mut found: Vec<Explained> = tasks
        .iter()
        .enumerate()
        .map(|(number, task)| Explained {
            task: task.name.clone(),
            score: f64::from(own[first(number)]),
            mean: mean(&beside, first(number)),
            fields: Vec::new(),
            is_log_odds: task.objective.link() == Link::Sigmoid,
        })
        .collect();
    for (field, inputs) in fields(encoder.schema()) {
        let changed = scores(moved(&repeated, &inputs, others, &all));
        for (number, task) in found.iter_mut().enumerate() {
            task.fields.push((field.clone(), task.score - mean(&changed, first(number))));
        }
    }
    found.iter_mut().for_each(|task| task.fields.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs())));
    let (gates, attention) = frozen
        .infer(ready(&frozen, row.clone()), |model, inputs| (model.forward(inputs).gates, model.attention(inputs)));
    let shares = |(gate, shares): (String, Tensor<2>)| GateShares {
        gate,
        shares: read(shares).into_iter().map(f64::from).collect(),
    };
    let attended = |(group, weights): (usize, Tensor<2>)| Attention {
        group,
        weights: read(weights).into_iter().map(f64::from).collect(),
    };
    Ok(ExplainedRow {
        tasks: found,
        gates: gates.into_iter().map(shares).collect(),
        attention: attention.into_iter().map(attended).collect(),
    })
}

fn ready(frozen: &Frozen<'_>, batch: Batch) -> crate::feed::Prepared {
    prepare(frozen.weights().tables.indexer(), None)(batch)
}

fn read(scores: Tensor<2>) -> Vec<f32> {
    scores.into_data().try_to_vec().unwrap_or_default()
}
