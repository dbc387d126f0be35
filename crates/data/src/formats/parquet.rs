//! Parquet files.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::DataError;
use crate::source::{CHUNK_ROWS, Column, Format, Head, POSITION, RowStream, pack};

/// Reads Parquet.
pub(crate) struct ParquetFormat;

fn corrupt(path: &Path) -> impl Fn(parquet::errors::ParquetError) -> DataError + '_ {
    |e| DataError::Corrupt { path: path.to_path_buf(), format: "Parquet", reason: e.to_string() }
}

fn builder(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, DataError> {
    let file = File::open(path).map_err(|e| DataError::io(path, e))?;
    // The decoder panics on some damaged files.
    let opened = std::panic::catch_unwind(|| ParquetRecordBatchReaderBuilder::try_new(file));
    opened
        .unwrap_or_else(|_| Err(parquet::errors::ParquetError::General("its decoder failed".into())))
        .map_err(corrupt(path))
}

impl Format for ParquetFormat {
    fn head(&self, path: &Path) -> Result<Head, DataError> {
        let builder = builder(path)?;
        let rows = builder.metadata().file_metadata().num_rows() > 0;
        let columns = builder.schema().fields().iter().map(|f| Column::new(f.name(), f.data_type().clone())).collect();
        Ok(Head { columns, rows })
    }

    fn stream(&self, path: &Path, file: usize, columns: &[Column]) -> Result<RowStream, DataError> {
        let builder = builder(path)?;
        let roots: Vec<usize> = columns.iter().filter_map(|c| builder.schema().index_of(&c.name).ok()).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let mut reader = builder.with_projection(mask).with_batch_size(CHUNK_ROWS).build().map_err(corrupt(path))?;
        let (path, columns) = (path.to_path_buf(), columns.to_vec());
        let mut row = 0;
        let mut ended = false;
        Ok(Box::new(std::iter::from_fn(move || {
            if ended {
                return None;
            }
            // The decoder panics on some damaged files.
            let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reader.next()));
            let next =
                read.unwrap_or_else(|_| Some(Err(arrow::error::ArrowError::ParquetError("its decoder failed".into()))));
            ended = !matches!(next, Some(Ok(_)));
            let batch =
                next?.map_err(|e| DataError::Corrupt { path: path.clone(), format: "Parquet", reason: e.to_string() });
            Some(batch.and_then(|batch| {
                let out = arrange(&batch, &columns, file, row);
                row += batch.num_rows() as u64;
                out
            }))
        })))
    }

    fn is_text(&self) -> bool {
        false
    }
}

/// Puts the columns into the order asked for, with positions added.
fn arrange(batch: &RecordBatch, columns: &[Column], file: usize, first_row: u64) -> Result<RecordBatch, DataError> {
    let rows = batch.num_rows();
    let mut fields = Vec::with_capacity(columns.len() + 1);
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len() + 1);
    for column in columns {
        let array = batch.column(batch.schema().index_of(&column.name)?).clone();
        fields.push(Field::new(&column.name, array.data_type().clone(), true));
        arrays.push(array);
    }
    fields.push(Field::new(POSITION, DataType::UInt64, false));
    arrays.push(Arc::new(UInt64Array::from_iter_values((0..rows as u64).map(|r| pack(file, first_row + r)))));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}
