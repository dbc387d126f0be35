//! Metrics of one side, in the way that the configuration asks for, and those of ranking by popularity beside them.

use std::sync::Arc;

use burnrec_data::Side;
use burnrec_data::split::Dataset;
use burnrec_features::{Draws, Encoder, FeatureError, NO_ITEM, Purpose};

use crate::error::TrainError;
use crate::evaluate::{Scored, evaluate};
use crate::experiment::Experiment;
use crate::learner::Learner;
use crate::measured::{Measured, Protocol};
use crate::metrics::{MetricName, Metrics, compute};
use crate::observer::Stop;
use crate::retrieve::Retriever;

/// Seed of the lists that positives are ranked in: apart from the run's, so that runs compare.
const LISTS: u64 = 0;

/// Measures a side: the model's metrics, and where items are ranked those of their training rows.
///
/// # Errors
/// Unreadable rows, no rows, and a side that cannot be measured in this way.
pub fn measure(
    learner: &mut Learner,
    encoder: &Arc<Encoder>,
    dataset: &Dataset,
    side: Side,
    experiment: &Experiment,
    measured: &Measured,
    names: &[MetricName],
) -> Result<(Metrics, Option<Metrics>), TrainError> {
    if measured.protocol == Protocol::Retrieval {
        return retrieval(learner, encoder, side, experiment, names);
    }
    let lists = measured.protocol == Protocol::Lists;
    let draws = if lists { Draws::Lists(LISTS) } else { Draws::Nothing };
    let rows = dataset.stream(side, &encoder.schema().columns(true))?;
    let source = dataset.source(side);
    let scored = evaluate(learner, rows, source, encoder, Purpose::Measure, draws, &Stop::default())?;
    if scored.scores.is_empty() {
        return Err(FeatureError::NoRows { side: side.name() }.into());
    }
    let metrics = compute(names, &scored);
    let popularity = encoder.catalogue().filter(|_| lists).map(|catalogue| {
        let count = |item: &u32| if *item == NO_ITEM { 0.0 } else { catalogue.counts[*item as usize] as f32 };
        compute(names, &Scored { scores: scored.items.iter().map(count).collect(), ..scored })
    });
    Ok((metrics, popularity))
}

fn retrieval(
    learner: &mut Learner,
    encoder: &Encoder,
    side: Side,
    experiment: &Experiment,
    names: &[MetricName],
) -> Result<(Metrics, Option<Metrics>), TrainError> {
    let sides = match side {
        Side::Train => {
            return Err(TrainError::Setting {
                key: "--split".into(),
                problem: "train is what users are known by, and has nothing new to look for; use valid or test".into(),
            });
        }
        Side::Valid => 1,
        Side::Test => 2,
    };
    match Retriever::new(learner, encoder, experiment)? {
        Some(mut retriever) => retriever.measure(sides, names).map(|(metrics, popularity)| (metrics, Some(popularity))),
        None => Err(FeatureError::NoRows { side: side.name() }.into()),
    }
}
