//! One column of a record batch, seen as ids or as numbers, with the place of what cannot be read.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use burnrec_data::{Source, positions};

use crate::error::FeatureError;

/// Values in one of the three forms that encoding works on.
pub(crate) enum Values {
    /// Text.
    Text(StringArray),
    /// Whole numbers; unsigned ones above `i64::MAX` come as text.
    Int(Int64Array),
    /// Fractions.
    Float(Float64Array),
}

/// A column with what errors about it need.
pub(crate) struct Reader<'a> {
    pub(crate) batch: &'a RecordBatch,
    pub(crate) source: &'a dyn Source,
    pub(crate) feature: &'a str,
    pub(crate) column: &'a str,
}

impl Reader<'_> {
    fn array(&self) -> Result<ArrayRef, FeatureError> {
        let at = self.batch.schema().index_of(self.column).map_err(burnrec_data::DataError::from)?;
        Ok(self.batch.column(at).clone())
    }

    /// An error at a row.
    pub(crate) fn error(&self, row: usize, problem: impl Into<String>) -> FeatureError {
        let position = positions(self.batch).get(row).copied().unwrap_or_default();
        FeatureError::Value {
            location: self.source.locate(position).to_string(),
            column: self.column.to_string(),
            feature: self.feature.to_string(),
            problem: problem.into(),
        }
    }

    fn unreadable(&self, found: &DataType, needed: &'static str) -> FeatureError {
        FeatureError::ColumnType {
            column: self.column.to_string(),
            feature: self.feature.to_string(),
            found: found.to_string(),
            needed,
        }
    }

    fn normal(&self, array: &ArrayRef, needed: &'static str) -> Result<Values, FeatureError> {
        let to = |t: &DataType| cast(array, t).map_err(|_| self.unreadable(array.data_type(), needed));
        let values = match array.data_type() {
            DataType::Utf8 => Values::Text(StringArray::from(array.to_data())),
            DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Dictionary(..)
            | DataType::Binary
            | DataType::Decimal128(..) => Values::Text(StringArray::from(to(&DataType::Utf8)?.to_data())),
            DataType::UInt64 if has_large(array) => Values::Text(StringArray::from(to(&DataType::Utf8)?.to_data())),
            // `true` and `false`, as text files have them.
            DataType::Boolean => Values::Text(StringArray::from(to(&DataType::Utf8)?.to_data())),
            t if t.is_integer() => Values::Int(Int64Array::from(to(&DataType::Int64)?.to_data())),
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
                Values::Int(Int64Array::from(to(&DataType::Int64)?.to_data()))
            }
            t if t.is_floating() => Values::Float(Float64Array::from(to(&DataType::Float64)?.to_data())),
            DataType::Null => Values::Text(StringArray::from(vec![None::<&str>; array.len()])),
            other => return Err(self.unreadable(other, needed)),
        };
        Ok(values)
    }

    /// The column as one value a row.
    pub(crate) fn values(&self) -> Result<Values, FeatureError> {
        self.normal(&self.array()?, "one value a row")
    }

    /// The column as a list a row, if it is one: the items, and where each row starts.
    pub(crate) fn lists(&self) -> Result<Option<(Values, Vec<u32>)>, FeatureError> {
        let array = self.array()?;
        let list = match array.data_type() {
            DataType::List(_) => ListArray::from(array.to_data()),
            DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                let list = cast(&array, &DataType::List(Arc::clone(item)))
                    .map_err(|_| self.unreadable(array.data_type(), "a list"))?;
                ListArray::from(list.to_data())
            }
            _ => return Ok(None),
        };
        let first = list.value_offsets().first().copied().unwrap_or(0);
        let last = list.value_offsets().last().copied().unwrap_or(0);
        let items = list.values().slice(first as usize, (last - first) as usize);
        let offsets = list.value_offsets().iter().map(|o| (o - first) as u32).collect();
        Ok(Some((self.normal(&items, "ids")?, offsets)))
    }

    /// The column as text, whole numbers without a fraction; a missing value is an error.
    pub(crate) fn texts(&self) -> Result<Vec<String>, FeatureError> {
        let text = |row: usize, text: Option<String>| {
            text.filter(|t| !t.is_empty()).ok_or_else(|| self.error(row, "the id is missing; every row needs one"))
        };
        match self.values()? {
            Values::Text(a) => a.iter().enumerate().map(|(r, t)| text(r, t.map(str::to_string))).collect(),
            Values::Int(a) => a.iter().enumerate().map(|(r, x)| text(r, x.map(|x| x.to_string()))).collect(),
            Values::Float(a) => a.iter().enumerate().map(|(r, x)| text(r, x.map(|x| x.to_string()))).collect(),
        }
    }

    /// The column as numbers; missing values are `None`, everything else must be finite.
    pub(crate) fn numbers(&self) -> Result<Vec<Option<f64>>, FeatureError> {
        // Inputs are 32-bit floats: what does not fit is as bad as infinity.
        let finite = |row: usize, x: f64, shown: &dyn Fn() -> String| match (x as f32).is_finite() {
            true => Ok(Some(x)),
            false => Err(self
                .error(row, format!("`{}` is not a finite 32-bit number; mend the value or leave it empty", shown()))),
        };
        match self.values()? {
            Values::Int(a) => Ok(a.iter().map(|x| x.map(|x| x as f64)).collect()),
            Values::Float(a) => {
                a.iter().enumerate().map(|(r, x)| x.map_or(Ok(None), |x| finite(r, x, &|| x.to_string()))).collect()
            }
            Values::Text(a) => {
                let parse = |(row, text): (usize, Option<&str>)| {
                    let Some(text) = text.map(str::trim).filter(|t| !t.is_empty()) else { return Ok(None) };
                    let number = match text {
                        "true" | "True" | "TRUE" => Ok(1.0),
                        "false" | "False" | "FALSE" => Ok(0.0),
                        _ => text.parse::<f64>(),
                    };
                    let number = number.map_err(|_| {
                        self.error(row, format!("`{text}` is not a number; mend the value, leave it empty, or make the field categorical"))
                    })?;
                    finite(row, number, &|| text.to_string())
                };
                a.iter().enumerate().map(parse).collect()
            }
        }
    }
}

fn has_large(array: &ArrayRef) -> bool {
    let numbers = UInt64Array::from(array.to_data());
    numbers.iter().flatten().any(|x| i64::try_from(x).is_err())
}
