//! Rows with a prediction each, as CSV, TSV, JSON lines or Parquet.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float32Array, ListArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use burnrec_data::FormatKind;
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value};
use tempfile::NamedTempFile;

use crate::error::CliError;
use crate::setup;

/// The column that is added.
const PREDICTION: &str = "prediction";

/// The format that an output path's extension names.
pub fn kind(path: &Path) -> Result<FormatKind, CliError> {
    let packed = path.extension().is_some_and(|e| e == "gz" || e == "zst");
    match FormatKind::of_path(path).filter(|_| !packed) {
        Some(kind @ (FormatKind::Csv | FormatKind::Tsv | FormatKind::Jsonl | FormatKind::Parquet)) => Ok(kind),
        _ => Err(CliError::Usage(format!(
            "--output {}: give a name that ends in .csv, .tsv, .jsonl or .parquet",
            path.display()
        ))),
    }
}

enum Format {
    Delimited(Box<csv::Writer<BufWriter<File>>>, bool),
    Jsonl(BufWriter<File>),
    Parquet(BufWriter<File>),
    ParquetOpen(Box<ArrowWriter<BufWriter<File>>>),
    Done,
}

/// Writes beside the target; the target appears whole at the end.
pub struct Writer {
    path: PathBuf,
    temporary: NamedTempFile,
    format: Format,
    /// Whether tabs divide cells, so that none may stand in one.
    tabs: bool,
    /// The column that is added.
    added: &'static str,
}

impl Writer {
    /// A writer for `path`, in its folder.
    pub fn new(kind: FormatKind, folder: &Path, path: &Path) -> Result<Self, CliError> {
        let failed = |e: std::io::Error| CliError::Output {
            path: path.display().to_string(),
            reason: e.to_string(),
            option: "--output",
        };
        let temporary = tempfile::Builder::new()
            .prefix(&setup::temporary("predict"))
            .permissions(burnrec_data::readable())
            .tempfile_in(folder)
            .map_err(failed)?;
        let file = BufWriter::new(temporary.as_file().try_clone().map_err(failed)?);
        let delimited = |file, delimiter| {
            Format::Delimited(
                Box::new(
                    csv::WriterBuilder::new()
                        .quote_style(if delimiter == b'\t' {
                            csv::QuoteStyle::Never
                        } else {
                            csv::QuoteStyle::Necessary
                        })
                        .delimiter(delimiter)
                        .from_writer(file),
                ),
                false,
            )
        };
        let format = match kind {
            FormatKind::Csv => delimited(file, b','),
            FormatKind::Tsv => delimited(file, b'\t'),
            FormatKind::Parquet => Format::Parquet(file),
            _ => Format::Jsonl(file),
        };
        let tabs = kind == FormatKind::Tsv;
        Ok(Self { path: path.to_path_buf(), temporary, format, tabs, added: PREDICTION })
    }

    /// The same, whose added column is called so.
    pub fn adding(self, added: &'static str) -> Self {
        Self { added, ..self }
    }

    fn failed(&self, reason: impl ToString) -> CliError {
        CliError::Output { path: self.path.display().to_string(), reason: reason.to_string(), option: "--output" }
    }

    /// Adds rows; the last column of the batch, their place, is left out.
    pub fn write(&mut self, batch: &RecordBatch, scores: &[f32]) -> Result<(), CliError> {
        let columns = batch.num_columns() - 1;
        let schema = batch.schema();
        let names: Vec<&str> =
            schema.fields()[..columns].iter().map(|f| f.name().as_str()).chain([self.added]).collect();
        if let Some(twice) = (1..names.len()).find(|&i| names[..i].contains(&names[i])) {
            return Err(CliError::Usage(format!(
                "column `{}` would stand twice in the output; choose columns with --columns",
                names[twice]
            )));
        }
        let mut fields: Vec<Field> = (0..columns).map(|c| batch.schema().field(c).clone()).collect();
        fields.push(Field::new(self.added, DataType::Float32, false));
        let mut arrays: Vec<ArrayRef> = (0..columns).map(|c| batch.column(c).clone()).collect();
        arrays.push(Arc::new(Float32Array::from(scores.to_vec())));
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|e| self.failed(e))?;
        let written = match std::mem::replace(&mut self.format, Format::Done) {
            Format::Delimited(mut writer, started) => {
                delimited(&mut writer, &rows, !started, self.tabs).map(|()| Format::Delimited(writer, true))
            }
            Format::Jsonl(mut writer) => json_lines(&mut writer, &rows).map(|()| Format::Jsonl(writer)),
            Format::Parquet(file) => ArrowWriter::try_new(file, rows.schema(), None)
                .and_then(|mut writer| writer.write(&rows).map(|()| Format::ParquetOpen(Box::new(writer))))
                .map_err(|e| e.to_string()),
            Format::ParquetOpen(mut writer) => {
                writer.write(&rows).map(|()| Format::ParquetOpen(writer)).map_err(|e| e.to_string())
            }
            Format::Done => Ok(Format::Done),
        };
        self.format = written.map_err(|e| self.failed(e))?;
        Ok(())
    }

    /// Makes the file durable and puts it in its place.
    pub fn finish(mut self) -> Result<(), CliError> {
        let ended = match std::mem::replace(&mut self.format, Format::Done) {
            Format::Delimited(mut writer, _) => writer.flush().map_err(|e| e.to_string()),
            Format::Jsonl(mut writer) | Format::Parquet(mut writer) => writer.flush().map_err(|e| e.to_string()),
            Format::ParquetOpen(writer) => {
                writer.into_inner().map_err(|e| e.to_string()).and_then(|mut w| w.flush().map_err(|e| e.to_string()))
            }
            Format::Done => Ok(()),
        };
        ended.map_err(|e| self.failed(e))?;
        self.temporary.as_file().sync_all().map_err(|e| self.failed(e))?;
        let path = self.path.clone();
        match self.temporary.persist(&path) {
            Ok(_) => Ok(()),
            Err(e) => Err(CliError::Output {
                path: path.display().to_string(),
                reason: e.error.to_string(),
                option: "--output",
            }),
        }
    }
}

/// Copies the objects of a JSON-lines file with their scores, keys and types as they are.
pub fn add_to_json_lines(
    input: &Path,
    keep: Option<&[String]>,
    scores: &[f32],
    folder: &Path,
    output: &Path,
) -> Result<(), CliError> {
    let failed = |reason: String| CliError::Output { path: output.display().to_string(), reason, option: "--output" };
    let twice = || {
        CliError::Usage(format!("key `{PREDICTION}` would stand twice in the output; choose columns with --columns"))
    };
    if keep.is_some_and(|keep| keep.iter().any(|k| k == PREDICTION)) {
        return Err(twice());
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
    let mut scores = scores.iter();
    for line in std::io::BufRead::lines(reader) {
        let line = line.map_err(|e| failed(e.to_string()))?;
        let line = line.trim_start_matches('\u{feff}');
        if line.trim().is_empty() {
            continue;
        }
        let mut object: Map<String, Value> = serde_json::from_str(line).map_err(|e| failed(e.to_string()))?;
        if let Some(keep) = keep {
            object.retain(|key, _| keep.contains(key));
        } else if object.contains_key(PREDICTION) {
            return Err(twice());
        }
        let score = scores.next().ok_or_else(|| failed("the input changed while it was scored".into()))?;
        // The shortest digits that give the same 32-bit number, as the other formats have them.
        let score = serde_json::from_str(&score.to_string()).unwrap_or(Value::Null);
        object.insert(PREDICTION.to_string(), score);
        writeln!(writer, "{}", Value::Object(object)).map_err(|e| failed(e.to_string()))?;
    }
    writer.flush().and_then(|()| temporary.as_file().sync_all()).map_err(|e| failed(e.to_string()))?;
    temporary.persist(output).map(drop).map_err(|e| failed(e.error.to_string()))
}

/// A column as text; lists are joined by a space.
fn text(array: &ArrayRef) -> Result<StringArray, String> {
    let array = match array.data_type() {
        DataType::List(_) => {
            let list = ListArray::from(array.to_data());
            let row = |r: usize| -> Result<Option<String>, String> {
                if list.is_null(r) {
                    return Ok(None);
                }
                let items = text(&list.value(r))?;
                Ok(Some(items.iter().flatten().collect::<Vec<_>>().join(" ")))
            };
            let rows = (0..list.len()).map(row).collect::<Result<Vec<_>, _>>()?;
            return Ok(StringArray::from(rows));
        }
        _ => cast(array, &DataType::Utf8).map_err(|e| e.to_string())?,
    };
    Ok(StringArray::from(array.to_data()))
}

fn delimited(
    writer: &mut csv::Writer<BufWriter<File>>,
    rows: &RecordBatch,
    header: bool,
    tabs: bool,
) -> Result<(), String> {
    if header {
        writer.write_record(rows.schema().fields().iter().map(|f| f.name())).map_err(|e| e.to_string())?;
    }
    let columns = rows.columns().iter().map(text).collect::<Result<Vec<_>, _>>()?;
    for row in 0..rows.num_rows() {
        let cells = columns.iter().map(|c| if c.is_valid(row) { c.value(row) } else { "" });
        if tabs && let Some(at) = cells.clone().position(|c| c.contains(['\t', '\n', '\r'])) {
            return Err(format!(
                "column `{}` holds `{}`, with a tab or line break, which this format cannot express; write .csv or .jsonl",
                rows.schema().field(at).name(),
                columns[at].value(row).escape_debug()
            ));
        }
        writer.write_record(cells).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn json_lines(writer: &mut BufWriter<File>, rows: &RecordBatch) -> Result<(), String> {
    let columns = rows.columns().iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let lists: Vec<Option<ListArray>> = rows
        .columns()
        .iter()
        .map(|c| matches!(c.data_type(), DataType::List(_)).then(|| ListArray::from(c.to_data())))
        .collect();
    let schema = rows.schema();
    for row in 0..rows.num_rows() {
        let mut object = Map::new();
        for ((field, column), list) in schema.fields().iter().zip(&columns).zip(&lists) {
            let value = match list {
                _ if column.is_null(row) => Value::Null,
                Some(list) => {
                    Value::from(text(&list.value(row))?.iter().flatten().map(Value::from).collect::<Vec<_>>())
                }
                None if field.data_type().is_numeric() => {
                    serde_json::from_str(column.value(row)).unwrap_or(Value::Null)
                }
                None if *field.data_type() == DataType::Boolean => Value::from(column.value(row) == "true"),
                None => Value::from(column.value(row)),
            };
            object.insert(field.name().clone(), value);
        }
        writeln!(writer, "{}", Value::Object(object)).map_err(|e| e.to_string())?;
    }
    Ok(())
}
