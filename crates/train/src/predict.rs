//! Scores of new rows, in their order.

use std::sync::Arc;

use burnrec_data::{RowStream, Source};
use burnrec_features::{Draws, Purpose};

use crate::error::TrainError;
use crate::evaluate::evaluate;
use crate::observer::Stop;
use crate::saved::SavedModel;

/// Probabilities (or numbers, in regression) of all rows of a stream.
///
/// # Errors
/// Unreadable rows.
pub fn score(saved: &mut SavedModel, rows: RowStream, source: &Arc<dyn Source>) -> Result<Vec<f32>, TrainError> {
    let encoder = saved.encoder.clone();
    let scored =
        evaluate(&mut saved.learner, rows, source, &encoder, Purpose::Predict, Draws::Nothing, &Stop::default())?;
    match encoder.schema().label.is_binary() {
        true => Ok((0..scored.scores.len()).map(|row| scored.probability(row) as f32).collect()),
        false => Ok(scored.scores),
    }
}
