//! Rows, as CSV, TSV, JSON lines or Parquet.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, ListArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use burnrec_data::FormatKind;
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value};
use tempfile::NamedTempFile;

use crate::error::CliError;
use crate::setup;

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
        Ok(Self { path: path.to_path_buf(), temporary, format, tabs })
    }

    fn failed(&self, reason: impl ToString) -> CliError {
        CliError::Output { path: self.path.display().to_string(), reason: reason.to_string(), option: "--output" }
    }

    /// Adds rows.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), CliError> {
        let schema = rows.schema();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        if let Some(twice) = (1..names.len()).find(|&i| names[..i].contains(&names[i])) {
            return Err(CliError::Usage(format!(
                "column `{}` would stand twice in the output; choose columns with --columns",
                names[twice]
            )));
        }
        let written = match std::mem::replace(&mut self.format, Format::Done) {
            Format::Delimited(mut writer, started) => {
                delimited(&mut writer, rows, !started, self.tabs).map(|()| Format::Delimited(writer, true))
            }
            Format::Jsonl(mut writer) => json_lines(&mut writer, rows).map(|()| Format::Jsonl(writer)),
            Format::Parquet(file) => ArrowWriter::try_new(file, rows.schema(), None)
                .and_then(|mut writer| writer.write(rows).map(|()| Format::ParquetOpen(Box::new(writer))))
                .map_err(|e| e.to_string()),
            Format::ParquetOpen(mut writer) => {
                writer.write(rows).map(|()| Format::ParquetOpen(writer)).map_err(|e| e.to_string())
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
