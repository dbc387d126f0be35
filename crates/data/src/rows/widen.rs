//! Columns that a source lacks, missing on all of its rows.

use std::path::Path;
use std::sync::Arc;

use arrow::array::new_null_array;
use arrow::datatypes::DataType;

use crate::clock::Clock;
use crate::error::DataError;
use crate::source::{Column, Location, RowStream, Source, with_columns};

/// A source with further columns of missing values.
pub(crate) struct Widened {
    inner: Arc<dyn Source>,
    columns: Vec<Column>,
    own: usize,
}

impl Widened {
    pub(crate) fn new(inner: Arc<dyn Source>, names: Vec<String>) -> Self {
        let more = names.into_iter().map(|name| Column::new(name, DataType::Utf8));
        let own = inner.columns().len();
        let columns = inner.columns().iter().cloned().chain(more).collect();
        Self { inner, columns, own }
    }
}

impl Source for Widened {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn stream(&self, columns: &[String]) -> Result<RowStream, DataError> {
        let own: Vec<String> =
            columns.iter().filter(|c| self.columns[..self.own].iter().any(|o| o.name == **c)).cloned().collect();
        let wanted = columns.to_vec();
        Ok(Box::new(self.inner.stream(&own)?.map(move |batch| {
            let batch = batch?;
            with_columns(&batch, &wanted, |_| Ok(new_null_array(&DataType::Utf8, batch.num_rows())))
        })))
    }

    fn locate(&self, position: u64) -> Location {
        self.inner.locate(position)
    }

    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn clock(&self) -> &Clock {
        self.inner.clock()
    }
}
