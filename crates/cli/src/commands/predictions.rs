//! Predictions beside the rows that they are of.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use burnrec_train::{Column, Values};
use serde_json::{Map, Value};

use crate::error::CliError;
use crate::setup;

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

fn value(column: &Column, row: usize) -> Option<Value> {
    match &column.values {
        // The shortest digits that give the same 32-bit number, as the other formats have them.
        Values::Numbers(values) => values.get(row).map(|v| serde_json::from_str(&v.to_string()).unwrap_or(Value::Null)),
        Values::Classes(values) => values.get(row).map(|class| Value::from(class.as_str())),
    }
}

/// Copies the objects of a JSON-lines file with their predictions, keys and types as they are.
pub fn add_to_json_lines(
    input: &Path,
    keep: Option<&[String]>,
    columns: &[Column],
    folder: &Path,
    output: &Path,
) -> Result<(), CliError> {
    let failed = |reason: String| CliError::Output { path: output.display().to_string(), reason, option: "--output" };
    let twice = |name: &str| {
        CliError::Usage(format!("key `{name}` would stand twice in the output; choose columns with --columns"))
    };
    if let Some(own) = columns.iter().find(|column| keep.is_some_and(|keep| keep.contains(&column.name))) {
        return Err(twice(&own.name));
    }
    let builder = || {
        tempfile::Builder::new()
            .prefix(&setup::temporary("predict"))
            .permissions(burnrec_data::readable())
            .tempfile_in(folder)
    };
    let temporary = builder().map_err(|e| failed(e.to_string()))?;
    let mut writer = BufWriter::new(temporary.as_file().try_clone().map_err(|e| failed(e.to_string()))?);
    let reader = std::io::BufReader::new(burnrec_data::open_text(input)?);
    let mut row = 0;
    for line in std::io::BufRead::lines(reader) {
        let line = line.map_err(|e| failed(e.to_string()))?;
        let line = line.trim_start_matches('\u{feff}');
        if line.trim().is_empty() {
            continue;
        }
        let mut object: Map<String, Value> = serde_json::from_str(line).map_err(|e| failed(e.to_string()))?;
        if let Some(keep) = keep {
            object.retain(|key, _| keep.contains(key));
        } else if let Some(own) = columns.iter().find(|column| object.contains_key(&column.name)) {
            return Err(twice(&own.name));
        }
        for column in columns {
            let value = value(column, row).ok_or_else(|| failed("the input changed while it was scored".into()))?;
            object.insert(column.name.clone(), value);
        }
        row += 1;
        writeln!(writer, "{}", Value::Object(object)).map_err(|e| failed(e.to_string()))?;
    }
    writer.flush().and_then(|()| temporary.as_file().sync_all()).map_err(|e| failed(e.to_string()))?;
    temporary.persist(output).map(drop).map_err(|e| failed(e.error.to_string()))
}
