//! What the rows of a log are to those who pass it.

use arrow::array::RecordBatch;
use burnrec_data::value::Values;
use burnrec_data::{Source, positions};
use burnrec_features::{ids, stream_seed};

use crate::error::RlError;

/// A request as it was logged.
pub struct Taken {
    /// Its rows, one for each candidate that was shown.
    pub rows: RecordBatch,
    /// Who asked; none where nobody is told from others.
    pub user: Option<u64>,
    /// The items that may be shown, each once.
    pub candidates: Vec<u64>,
    /// Whether each of them was clicked; none of those that were not shown.
    pub clicks: Vec<Option<bool>>,
    /// How probable it was that this was shown; none where everything was.
    pub propensity: Option<f64>,
}

/// How rows become requests.
pub trait Form {
    /// The columns that it reads itself.
    fn columns(&self) -> Vec<String>;

    /// The column that tells requests apart; none where each row is one.
    fn request(&self) -> Option<&str>;

    /// The column of the time.
    fn time(&self) -> &str;

    /// Seconds until a click is known.
    fn delay_seconds(&self) -> f64;

    /// Refuses rows of which no request can be made, as they are read.
    ///
    /// # Errors
    /// Values that are none.
    fn check(&self, rows: &RecordBatch, source: &dyn Source) -> Result<(), RlError>;

    /// A request of its rows.
    ///
    /// # Errors
    /// Values that are none.
    fn take(&mut self, rows: RecordBatch, source: &dyn Source) -> Result<Taken, RlError>;

    /// One row a candidate, of the rows that [`Form::take`] kept.
    ///
    /// # Errors
    /// Those of [`Form::take`].
    fn candidates(&self, rows: &RecordBatch) -> Result<RecordBatch, RlError> {
        Ok(rows.clone())
    }

    /// The cosine of what two items are about.
    fn similarity(&self, a: u64, b: u64) -> f64;

    /// What looks as if it were meant otherwise.
    fn doubts(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What is wrong with a row of some rows.
pub(crate) fn bad_row(rows: &RecordBatch, row: usize, source: &dyn Source, problem: impl Into<String>) -> RlError {
    let place = source.locate(positions(rows).get(row).copied().unwrap_or_default());
    RlError::Log { path: place.path.display().to_string(), row: place.number as usize, problem: problem.into() }
}

/// The ids of a column as numbers.
pub(crate) fn keys(rows: &RecordBatch, source: &dyn Source, column: &str) -> Result<Vec<u64>, RlError> {
    Ok(ids(rows, source, column)?.iter().map(|id| key(id)).collect())
}

/// An id as a number.
pub(crate) fn key(id: &str) -> u64 {
    stream_seed(0, id, 0)
}

/// The clicks of a column: 0 or 1, true or false.
pub(crate) fn clicks(rows: &RecordBatch, source: &dyn Source, column: &str) -> Result<Vec<bool>, RlError> {
    let values = rows.column_by_name(column).and_then(|array| Values::of(array).ok());
    let number = |row: usize| values.as_ref().and_then(|values| values.number(row).ok().flatten());
    let click = |row: usize| match number(row) {
        Some(0.0) => Ok(false),
        Some(1.0) => Ok(true),
        _ => {
            let problem = format!("column {column} holds neither 0 nor 1, nor true or false; write it so");
            Err(bad_row(rows, row, source, problem))
        }
    };
    (0..rows.num_rows()).map(click).collect()
}
