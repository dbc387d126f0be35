//! Predictions over one side of the data.

use std::collections::VecDeque;
use std::sync::Arc;

use burnrec_backend::traffic;
use burnrec_data::{RowStream, Source};
use burnrec_features::{Draws, Encoder, LoaderConfig, Purpose, load};

use crate::config::LossKind;
use crate::error::TrainError;
use crate::learner::{Learner, prepare};
use crate::metrics::Predictions;
use crate::observer::Stop;

/// Rows that are scored at once; a setting of speed, not of results.
const BATCH_ROWS: usize = 4096;

/// Batches whose scores are read only after later ones were begun: a read waits for what the device has finished.
const IN_FLIGHT: usize = 4;

/// Predictions, and how many rows they are of.
pub type Scored = Predictions;

/// Scores all rows of a stream, in order. Memory: 8 bytes a row, 8 more with groups, 4 more with weights.
///
/// # Errors
/// Unreadable rows.
pub fn evaluate(
    learner: &mut Learner,
    rows: RowStream,
    source: &Arc<dyn Source>,
    encoder: &Arc<Encoder>,
    purpose: Purpose,
    draws: Draws,
    stop: &Stop,
) -> Result<Scored, TrainError> {
    let config =
        LoaderConfig { batch_size: BATCH_ROWS, buffer_rows: BATCH_ROWS, purpose, draws, ..LoaderConfig::default() };
    let loader = load(rows, source.clone(), encoder.clone(), config, prepare(learner.tables.indexer()));
    let frozen = learner.frozen()?;
    let mut scored = Scored::default();
    let mut waiting = VecDeque::with_capacity(IN_FLIGHT + 1);
    for prepared in loader {
        let mut prepared = prepared?;
        if stop.is_asked() {
            break;
        }
        scored.labels.append(&mut prepared.batch.label);
        scored.weights.append(&mut prepared.batch.weight);
        scored.groups.append(&mut prepared.batch.group);
        scored.items.append(&mut prepared.batch.item);
        waiting.push_back(learner.score(&frozen, prepared)?);
        if waiting.len() > IN_FLIGHT {
            scored.scores.extend(waiting.pop_front().map_or_else(Vec::new, traffic::read));
        }
    }
    waiting.into_iter().for_each(|scores| scored.scores.extend(traffic::read(scores)));
    if learner.loss() == LossKind::WeightedLogistic {
        // The odds are what a row is worth.
        scored.scores.iter_mut().for_each(|s| *s = s.exp());
    }
    Ok(scored)
}
