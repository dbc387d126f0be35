//! Rows that were made, as a source: what errors and times of features need.

use std::path::Path;

use arrow::array::RecordBatch;
use burnrec_data::{Clock, Column, DataError, Location, RowStream, Source};

/// Rows in memory.
pub(crate) struct Made {
    name: &'static str,
    columns: Vec<Column>,
    batches: Vec<RecordBatch>,
    clock: Clock,
}

impl Made {
    /// Rows of these batches, which are of one schema; the columns are theirs.
    pub(crate) fn new(name: &'static str, batches: Vec<RecordBatch>) -> Self {
        let schema = batches.first().map(RecordBatch::schema);
        let fields = schema.iter().flat_map(|schema| schema.fields().iter().cloned().collect::<Vec<_>>());
        let columns = fields.filter(|field| field.name() != burnrec_data::POSITION);
        let columns = columns.map(|f| Column { name: f.name().clone(), data_type: f.data_type().clone(), typed: None });
        Self { name, columns: columns.collect(), batches, clock: Clock::default() }
    }
}

impl Source for Made {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn stream(&self, columns: &[String]) -> Result<RowStream, DataError> {
        columns.iter().try_for_each(|column| self.column(column).map(drop))?;
        let wanted: Vec<String> = columns.iter().cloned().chain([burnrec_data::POSITION.to_string()]).collect();
        let pick = move |batch: RecordBatch| {
            let places = wanted.iter().map(|name| batch.schema().index_of(name)).collect::<Result<Vec<_>, _>>()?;
            Ok(batch.project(&places)?)
        };
        Ok(Box::new(self.batches.clone().into_iter().map(pick)))
    }

    fn locate(&self, position: u64) -> Location {
        Location { path: self.name.into(), number: position, is_line: false }
    }

    fn path(&self) -> &Path {
        Path::new(self.name)
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}
