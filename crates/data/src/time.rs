//! Times of rows.

use arrow::array::{Array, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};

use crate::error::DataError;
use crate::source::{Source, positions};

/// A time column as seconds (or whatever unit plain numbers have).
///
/// # Errors
/// Missing values and text that is not a number, with the row's place.
pub fn time_values(batch: &RecordBatch, column: &str, source: &dyn Source) -> Result<Vec<f64>, DataError> {
    let array = batch.column(batch.schema().index_of(column)?);
    let array = match array.data_type() {
        DataType::Timestamp(..) => {
            cast(&cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?, &DataType::Int64)?
        }
        DataType::Date32 | DataType::Date64 => {
            cast(&cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?, &DataType::Int64)?
        }
        _ => array.clone(),
    };
    let is_date = array.data_type() != batch.column(batch.schema().index_of(column)?).data_type();
    let unit = if is_date { 1e-6 } else { 1.0 };
    let numbers = cast(&array, &DataType::Float64)?;
    let numbers = Float64Array::from(numbers.to_data());
    if let Some(bad) = (0..numbers.len()).find(|&i| numbers.is_null(i) || !numbers.value(i).is_finite()) {
        return Err(DataError::Value {
            location: source.locate(positions(batch)[bad]).to_string(),
            column: column.to_string(),
            problem: "is missing or not a number; a time is needed on every row (unix seconds, or a timestamp type)"
                .into(),
        });
    }
    Ok(numbers.values().iter().map(|t| t * unit).collect())
}
