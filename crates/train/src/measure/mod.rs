//! Metrics of one side by task, in the way that the configuration asks for, and those of ranking by popularity beside them.

mod chain;
mod predict;
mod score;

use std::sync::Arc;

use burnrec_data::Side;
use burnrec_data::split::Dataset;
use burnrec_features::{Draws, Encoder, FeatureError, NO_ITEM, Purpose};
use burnrec_record::{Metrics, TaskMetrics};

use crate::caching::cache;
use crate::checked::Checked;
use crate::error::{TrainError, bad};
use crate::metrics::{MetricName, Predictions, Protocol, compute};
use crate::retrieve::Retriever;
use crate::stop::Stop;
use crate::task::{Task, given_name};
use crate::weights::Weights;

pub use predict::{Column, Predicted, Values, predict};
pub(crate) use score::Scoring;
pub use score::{Asked, Scored, score_rows};

/// A side of a data set.
pub(crate) struct OneSide<'a> {
    pub(crate) dataset: &'a Dataset,
    pub(crate) side: Side,
}

/// Seed of the lists that positives are ranked in: apart from the run's, so that runs compare.
pub(crate) const LISTS: u64 = 0;

/// What a measurement came to.
#[derive(Clone, Debug, Default)]
pub struct Measurement {
    /// The model's metrics.
    pub metrics: TaskMetrics,
    /// Those of ranking items by their training rows, where items are ranked.
    pub popularity: Option<TaskMetrics>,
    /// The inputs of whose ids none was learned from, by their place in the schema, and how many ids they have.
    pub strangers: Vec<(usize, u64)>,
    /// What each task predicted of the rows whose label is known; nothing where all items are ranked.
    pub known: Vec<Predictions>,
}

/// Measures a side.
///
/// # Errors
/// Unreadable rows, no rows, and a side that cannot be measured in this way.
pub fn measure(
    weights: &Weights,
    checked: &Checked,
    encoder: &Arc<Encoder>,
    dataset: &Dataset,
    side: Side,
) -> Result<Measurement, TrainError> {
    if checked.protocol() == Protocol::Retrieval {
        return retrieval(weights, checked, encoder, side);
    }
    let lists = checked.protocol() == Protocol::Lists;
    let draws = if lists { Draws::Lists(LISTS) } else { Draws::Nothing };
    let cache = cache(checked, encoder, dataset, side, Purpose::Measure);
    let rows = dataset.stream(side, &encoder.schema().columns(true))?;
    let asked = Asked { rows, source: dataset.source(side), encoder, purpose: Purpose::Measure, draws, cache };
    let scored = score_rows(weights, checked.tasks(), asked, &Stop::default())?;
    if scored.scores.iter().all(Vec::is_empty) {
        return Err(FeatureError::NoRows { side: side.name() }.into());
    }
    let of = |known: &[Predictions]| {
        let tasks = checked.tasks().iter().zip(known);
        TaskMetrics(tasks.map(|(task, p)| (task.name.clone(), compute(&task.metrics, p))).collect())
    };
    let mut metrics = of(&scored.known);
    if checked.experiment().model.reads().heads.multiplies() {
        metrics.0.extend(given(checked.tasks(), &scored));
    }
    let popularity = encoder.catalogue().filter(|_| lists).map(|catalogue| {
        let count = |item: &u32| if *item == NO_ITEM { 0.0 } else { catalogue.counts[*item as usize] as f32 };
        let ranked = |p: &Predictions| Predictions { scores: p.items.iter().map(count).collect(), ..p.clone() };
        of(&scored.known.iter().map(ranked).collect::<Vec<_>>())
    });
    Ok(Measurement { metrics, popularity, strangers: scored.strangers.found().collect(), known: scored.known })
}

/// Metrics of each task of a chain given the one before it, on the rows on which that one's label is 1.
fn given(tasks: &[Task], scored: &Scored) -> Vec<(String, Metrics)> {
    let of = |(number, task): (usize, &Task)| {
        let parent = task.parent?;
        let p = chain::predictions(&scored.scores[number], &scored.scores[parent], &scored.given[number]);
        Some((given_name(&task.name, &tasks[parent].name), compute(&[MetricName::Auc, MetricName::LogLoss], &p)))
    };
    tasks.iter().enumerate().filter_map(of).collect()
}

fn retrieval(weights: &Weights, checked: &Checked, encoder: &Encoder, side: Side) -> Result<Measurement, TrainError> {
    let sides = match side {
        Side::Train => {
            let problem = "train is what users are known by, and has nothing new to look for; use valid or test";
            return Err(bad("--split", problem));
        }
        Side::Valid => 1,
        Side::Test => 2,
    };
    let Some(retriever) = Retriever::new(weights, checked, encoder)? else {
        return Err(FeatureError::NoRows { side: side.name() }.into());
    };
    let task = &checked.tasks()[checked.schema().liked()];
    let (model, popularity) = retriever.measure(sides, &task.metrics)?;
    let of = |metrics: Metrics| TaskMetrics(vec![(task.name.clone(), metrics)]);
    Ok(Measurement { metrics: of(model), popularity: Some(of(popularity)), ..Measurement::default() })
}
