//! Rows, as CSV, TSV, JSON lines or Parquet.

mod cells;
mod place;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use arrow::array::{Array, RecordBatch};
use burnrec_data::FormatKind;
use parquet::arrow::ArrowWriter;
use tempfile::NamedTempFile;

use crate::error::CliError;
pub use cells::text as as_text;
pub use place::{Place, refuse_input};

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
    place: Place,
    temporary: NamedTempFile,
    format: Format,
    /// Whether tabs divide cells, so that none may stand in one.
    tabs: bool,
}

impl Writer {
    /// A writer for a place, in its folder.
    pub fn new(kind: FormatKind, place: Place) -> Result<Self, CliError> {
        let temporary = place.temporary("predict")?;
        let file = BufWriter::new(temporary.as_file().try_clone().map_err(|e| place.failed(e.to_string()))?);
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
        Ok(Self { place, temporary, format, tabs })
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
        self.format = written.map_err(|e| self.place.failed(e))?;
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
        ended.map_err(|e| self.place.failed(e))?;
        self.place.finish(self.temporary)
    }
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
    let schema = rows.schema();
    let columns = rows.columns().iter().zip(schema.fields()).map(|(c, f)| cells::text(c, f.name()));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
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
    let schema = rows.schema();
    let columns = rows.columns().iter().zip(schema.fields()).map(|(c, f)| cells::json(c, f.name()));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let keys: Vec<String> =
        schema.fields().iter().map(|f| serde_json::Value::from(f.name().as_str()).to_string()).collect();
    for row in 0..rows.num_rows() {
        let pairs: Vec<String> =
            keys.iter().zip(&columns).map(|(key, cells)| format!("{key}:{}", cells[row])).collect();
        writeln!(writer, "{{{}}}", pairs.join(",")).map_err(|e| e.to_string())?;
    }
    Ok(())
}
