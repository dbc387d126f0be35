//! Scores of new rows, in their order.

use std::sync::Arc;

use burnrec_data::{RowStream, Source};
use burnrec_features::{Draws, Purpose};

use crate::error::TrainError;
use crate::evaluate::evaluate;
use crate::measured::Measured;
use crate::observer::Stop;
use crate::saved::SavedModel;

/// Probabilities (or numbers, in regression) of all rows of a stream; scores that only compare, where the loss gives no
/// more.
///
/// # Errors
/// Unreadable rows, and models that score no rows.
pub fn score(saved: &mut SavedModel, rows: RowStream, source: &Arc<dyn Source>) -> Result<Vec<f32>, TrainError> {
    let encoder = saved.encoder.clone();
    let measured = Measured::new(&saved.experiment, encoder.schema());
    if measured.pairs {
        return Err(TrainError::Setting {
            key: "features.pairs".into(),
            problem: "a model of pairs scores no rows; use recommend, or export its vectors".into(),
        });
    }
    let scored =
        evaluate(&mut saved.learner, rows, source, &encoder, Purpose::Predict, Draws::Nothing, &Stop::default())?;
    match measured.binary && measured.calibrated {
        true => Ok((0..scored.scores.len()).map(|row| scored.probability(row) as f32).collect()),
        false => Ok(scored.scores),
    }
}
