//! One column of a record batch, seen as ids or as numbers, with the place of what cannot be read.

use std::collections::HashSet;
use std::sync::Mutex;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use burnrec_data::value::{NoValue, Values, is_null_token, lists, whole};
use burnrec_data::{Source, positions};

use crate::error::FeatureError;

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

    /// The column as one value a row.
    pub(crate) fn values(&self) -> Result<Values, FeatureError> {
        Values::of(&self.array()?).map_err(|NoValue(found)| {
            self.unreadable(&found, "one value a row (lists go with kind = \"multi\" or \"sequence\")")
        })
    }

    /// The column as a list a row, if it is one: the items, and where each row starts.
    pub(crate) fn lists(&self) -> Result<Option<(Values, Vec<u32>)>, FeatureError> {
        lists(&self.array()?).map_err(|NoValue(found)| self.unreadable(&found, "a list of values"))
    }

    /// The column as text, as equal values have it; a missing value is an error.
    pub(crate) fn texts(&self) -> Result<Vec<String>, FeatureError> {
        let values = self.values()?;
        let text = |row: usize| {
            let text = values.text(row).ok_or_else(|| self.error(row, "the id is missing; every row needs one"));
            text.map(|t| t.into_owned())
        };
        (0..values.len()).map(text).collect()
    }

    /// The column as numbers; missing values are `None`, everything else must be finite.
    pub(crate) fn numbers(&self) -> Result<Vec<Option<f64>>, FeatureError> {
        let values = self.values()?;
        match &values {
            Values::Int(a) => return Ok(a.iter().map(|x| x.map(|x| x as f64)).collect()),
            Values::Float(a) if a.values().iter().all(|x| (*x as f32).is_finite()) => return Ok(a.iter().collect()),
            _ => {}
        }
        // Inputs are 32-bit floats: what does not fit is as bad as infinity.
        let number = |row: usize| {
            match values.number(row) {
            Ok(None) => {
                self.tell_token(&values, row);
                Ok(None)
            }
            Ok(Some(x)) if (x as f32).is_finite() => Ok(Some(x)),
            Ok(Some(x)) => {
                let x = match &values {
                    Values::Text(cells) => cells.value(row).trim().to_string(),
                    _ => format!("{x:e}"),
                };
                let problem = format!("`{x}` is not a finite 32-bit number; mend the value or leave it empty");
                Err(self.error(row, problem))
            }
            Err(text) => Err(self.error(
                row,
                format!(
                    "`{text}` is not a number; mend the value, leave it empty, or make the field categorical (cells that stand for a missing value: data.text.null)"
                ),
            )),
        }
        };
        (0..values.len()).map(number).collect()
    }

    /// The column as moments, in seconds since 1970.
    pub(crate) fn seconds(&self) -> Result<Vec<Option<f64>>, FeatureError> {
        let times = burnrec_data::times(self.batch, self.column, self.source)?;
        Ok(times.into_iter().map(|t| t.map(|t| t as f64 * 1e-9)).collect())
    }

    /// Says once a column that a word of it was read as a missing number.
    fn tell_token(&self, values: &Values, row: usize) {
        if let Some(text) = values.text(row).filter(|t| is_null_token(t)) {
            self.tell(row, &format!("`{text}` is read as a missing number"));
        }
    }

    /// Says once a column that text of it is read as a whole number.
    pub(crate) fn tell_whole(&self, row: usize, text: &str) {
        if let Some(id) = whole(text.trim()) {
            let text = text.trim();
            self.tell(
                row,
                &format!("`{text}` is read as the id `{id}`, so that whole numbers written as floats are not unknown"),
            );
        }
    }

    /// Says something of a column, once.
    pub(crate) fn tell(&self, row: usize, what: &str) {
        static TOLD: Mutex<Option<HashSet<String>>> = Mutex::new(None);
        let mut told = TOLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if told.get_or_insert_default().insert(format!("{}\u{0}{}", self.source.path().display(), self.column)) {
            let position = positions(self.batch).get(row).copied().unwrap_or_default();
            tracing::warn!("{}: column `{}`: {what}", self.source.locate(position), self.column);
        }
    }
}
