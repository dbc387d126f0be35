//! Rows that are what was chosen.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take;
use burnrec_data::Source;
use burnrec_data::value::{Values, lists};

use super::actions::Actions;
use super::config::BanditConfig;
use crate::environment::log::{Form, Taken, bad_row, clicks, key, keys};
use crate::error::RlError;
use crate::ope::propensity_problem;

/// Each row a request, with the one item that was chosen for it.
pub struct Choices {
    config: BanditConfig,
    actions: Actions,
}

impl Choices {
    /// Of a log; `features` are the columns that are read of its rows.
    ///
    /// # Errors
    /// Columns that are not there; what is told of an item in two ways.
    pub fn new(source: &Arc<dyn Source>, config: BanditConfig, features: &[String]) -> Result<Self, RlError> {
        let columns = config.columns();
        columns.iter().try_for_each(|column| source.column(column).map(drop))?;
        let own = features.iter().filter(|column| !columns.contains(column)).cloned().collect::<Vec<_>>();
        let actions = Actions::read(&**source, &config, &own)?;
        Ok(Self { config, actions })
    }

    /// How probable each row's item was when it was chosen.
    fn propensities(&self, rows: &RecordBatch, source: &dyn Source) -> Result<Vec<f64>, RlError> {
        let column = &self.config.propensity;
        let values = rows.column_by_name(column).and_then(|array| Values::of(array).ok());
        let of = |row: usize| {
            let number = values.as_ref().map_or(Ok(None), |values| values.number(row));
            let wrong =
                |text| format!("column {column} holds `{text}`, which is no number; write a share of 1, as 0.125");
            let propensity = number.map_err(wrong)?.unwrap_or(f64::NAN);
            match propensity_problem(propensity) {
                Some(problem) => Err(format!("column {column}: {problem}")),
                None => Ok(propensity),
            }
        };
        (0..rows.num_rows()).map(|row| of(row).map_err(|problem| bad_row(rows, row, source, problem))).collect()
    }

    /// The places of the items that could be chosen for a row, each once.
    fn could(&self, rows: &RecordBatch) -> Result<Vec<u32>, String> {
        let all = 0..self.actions.keys.len() as u32;
        let Some(column) = &self.config.candidates else { return Ok(all.collect()) };
        let array = rows.column_by_name(column).ok_or_else(|| format!("column {column} is not there"))?;
        let found = lists(array).map_err(|e| format!("column {column} holds {}", e.0))?;
        let Some((values, offsets)) = found else { return Err(format!("column {column} holds no lists")) };
        let mut seen = std::collections::HashSet::new();
        let place = |at: u32| self.actions.places.get(&key(&values.text(at as usize)?)).copied();
        // What the log never chose nobody knows anything of.
        Ok((offsets[0]..offsets[1]).filter_map(place).filter(|place| seen.insert(*place)).collect())
    }
}

impl Form for Choices {
    fn columns(&self) -> Vec<String> {
        self.config.columns()
    }

    fn request(&self) -> Option<&str> {
        None
    }

    fn time(&self) -> &str {
        &self.config.time
    }

    fn delay_seconds(&self) -> f64 {
        self.config.delay_seconds
    }

    fn check(&self, rows: &RecordBatch, source: &dyn Source) -> Result<(), RlError> {
        clicks(rows, source, &self.config.click)?;
        self.propensities(rows, source).map(drop)
    }

    fn take(&mut self, rows: RecordBatch, source: &dyn Source) -> Result<Taken, RlError> {
        let bad = |problem: String| bad_row(&rows, 0, source, problem);
        let propensity = self.propensities(&rows, source)?[0];
        let clicked = clicks(&rows, source, &self.config.click)?[0];
        let chosen = keys(&rows, source, &self.config.item)?[0];
        let could = self.could(&rows).map_err(bad)?;
        let candidates: Vec<u64> = could.iter().map(|place| self.actions.keys[*place as usize]).collect();
        if !candidates.contains(&chosen) {
            let column = self.config.candidates.as_deref().unwrap_or_default();
            let problem = format!("column {column} lacks the item that was chosen; it holds all that could be");
            return Err(bad(problem));
        }
        let clicks = candidates.iter().map(|item| (*item == chosen).then_some(clicked)).collect();
        let user = match &self.config.user {
            Some(column) => Some(keys(&rows, source, column)?[0]),
            None => None,
        };
        Ok(Taken { rows, user, candidates, clicks, propensity: Some(propensity) })
    }

    fn candidates(&self, rows: &RecordBatch) -> Result<RecordBatch, RlError> {
        let could = UInt32Array::from(self.could(rows).unwrap_or_default());
        let same = UInt32Array::from(vec![0; could.len()]);
        let schema = rows.schema();
        let column = |(field, array): (&Arc<arrow::datatypes::Field>, &ArrayRef)| {
            let own = self.actions.rows.column_by_name(field.name());
            own.map_or_else(|| take(array, &same, None), |all| take(all, &could, None))
        };
        let arrays = schema.fields().iter().zip(rows.columns()).map(column).collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(schema, arrays)?)
    }

    fn doubts(&self) -> Vec<String> {
        self.actions.doubts.clone()
    }

    fn similarity(&self, a: u64, b: u64) -> f64 {
        let about = |item: u64| {
            let place = self.actions.places.get(&item)?;
            self.actions.about.get(*place as usize)
        };
        match (about(a), about(b)) {
            (Some(a), Some(b)) => f64::from(u8::from(a == b)),
            _ => f64::from(u8::from(a == b)),
        }
    }
}
