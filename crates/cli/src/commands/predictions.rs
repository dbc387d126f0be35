//! Predictions beside the rows that they are of.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use burnrec_data::Object;
use burnrec_train::{Column, Values};
use serde_json::Value;

use super::output::Place;
use crate::error::CliError;

/// A batch of rows without its last column, their place, and with the predictions of these rows.
pub fn beside(batch: &RecordBatch, columns: &[Column], first: usize) -> Result<RecordBatch, CliError> {
    let (own, rows) = (batch.num_columns() - 1, batch.num_rows());
    let mut fields: Vec<Field> = (0..own).map(|c| batch.schema().field(c).clone()).collect();
    let mut arrays: Vec<ArrayRef> = (0..own).map(|c| batch.column(c).clone()).collect();
    for column in columns {
        let (kind, array): (DataType, ArrayRef) = match &column.values {
            Values::Numbers(values) => {
                (DataType::Float32, Arc::new(Float32Array::from(values[first..first + rows].to_vec())))
            }
            Values::Classes(values) => {
                (DataType::Utf8, Arc::new(StringArray::from_iter_values(&values[first..first + rows])))
            }
        };
        fields.push(Field::new(&column.name, kind, false));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|e| CliError::Usage(e.to_string()))
}

/// A prediction as JSON.
fn value(column: &Column, row: usize) -> Option<String> {
    match &column.values {
        // The shortest digits that give the same 32-bit number, as the other formats have them.
        Values::Numbers(values) => values.get(row).map(|v| if v.is_finite() { v.to_string() } else { "null".into() }),
        Values::Classes(values) => values.get(row).map(|class| Value::from(class.as_str()).to_string()),
    }
}

/// Copies the objects of a JSON-lines file with their predictions, keys and values as they are written there.
pub fn add_to_json_lines(
    input: &Path,
    keep: Option<&[String]>,
    columns: &[Column],
    output: &Place,
) -> Result<(), CliError> {
    let twice = |name: &str| {
        CliError::Usage(format!("key `{name}` would stand twice in the output; choose columns with --columns"))
    };
    if let Some(own) = columns.iter().find(|column| keep.is_some_and(|keep| keep.contains(&column.name))) {
        return Err(twice(&own.name));
    }
    let failed = |e: std::io::Error| output.failed(e.to_string());
    let temporary = output.temporary("predict")?;
    let mut writer = BufWriter::new(temporary.as_file().try_clone().map_err(failed)?);
    let reader = std::io::BufReader::new(burnrec_data::open_text(input)?);
    let mut row = 0;
    for line in std::io::BufRead::lines(reader) {
        let line = line.map_err(|e| burnrec_data::DataError::io(input, e))?;
        if line.trim().is_empty() {
            continue;
        }
        let changed = || output.failed("the input changed while it was scored".into());
        let mut object: Object<'_> = serde_json::from_str(&line).map_err(|_| changed())?;
        if let Some(keep) = keep {
            object.0.retain(|(key, _)| keep.iter().any(|k| k == key));
        } else if let Some(own) = columns.iter().find(|column| object.0.iter().any(|(key, _)| *key == column.name)) {
            return Err(twice(&own.name));
        }
        let own = object.0.iter().map(|(key, value)| (key.as_ref(), Some(value.get().to_string())));
        let all = own.chain(columns.iter().map(|column| (column.name.as_str(), value(column, row))));
        let pairs: Option<Vec<String>> =
            all.map(|(key, value)| Some(format!("{}:{}", Value::from(key), value?))).collect();
        row += 1;
        writeln!(writer, "{{{}}}", pairs.ok_or_else(changed)?.join(",")).map_err(failed)?;
    }
    writer.flush().map_err(failed)?;
    output.finish(temporary)
}
