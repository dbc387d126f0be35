//! Delimited text: CSV and TSV, with plain or typed headers (`name:token`), or given names.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, RecordBatch, StringBuilder, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::config::TextConfig;
use crate::error::DataError;
use crate::formats::text;
use crate::source::{CHUNK_ROWS, Column, Format, POSITION, RowStream, Typed, chunks, pack};

/// Reads delimited text.
pub(crate) struct Delimited {
    delimiter: u8,
    quote: Option<u8>,
    names: Option<Vec<String>>,
}

impl Delimited {
    /// Takes what `[data.text]` says, and the format's own delimiter and quote where it is silent.
    pub(crate) fn new(text: &TextConfig, delimiter: u8, quote: Option<u8>) -> Result<Self, DataError> {
        let ascii = |key: &str, c: char| {
            u8::try_from(c).ok().filter(u8::is_ascii).ok_or_else(|| DataError::Setting {
                key: format!("text.{key}"),
                problem: format!("`{c}` is not one ASCII character"),
            })
        };
        let quote = match text.quote.as_deref() {
            None => quote,
            Some("none" | "") => None,
            Some(q) => Some(ascii("quote", q.chars().next().unwrap_or('"'))?),
        };
        let delimiter = text.delimiter.map_or(Ok(delimiter), |d| ascii("delimiter", d))?;
        Ok(Self { delimiter, quote, names: text.names.clone() })
    }

    fn reader(&self, path: &Path) -> Result<(csv::Reader<CountQuotes>, Arc<AtomicU64>), DataError> {
        let quotes = Arc::new(AtomicU64::new(0));
        let text = CountQuotes { inner: text::open(path)?, quote: self.quote, quotes: quotes.clone() };
        let reader = csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .quoting(self.quote.is_some())
            .quote(self.quote.unwrap_or(b'"'))
            .has_headers(self.names.is_none())
            .buffer_capacity(1 << 18)
            .from_reader(text);
        Ok((reader, quotes))
    }
}

/// Text on its way to the splitter, its quotes counted: a file that ends inside a quoted value has an odd number.
struct CountQuotes {
    inner: Box<dyn Read + Send>,
    quote: Option<u8>,
    quotes: Arc<AtomicU64>,
}

impl Read for CountQuotes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        if let Some(quote) = self.quote {
            let found = buffer[..length].iter().filter(|b| **b == quote).count();
            self.quotes.fetch_add(found as u64, Ordering::Relaxed);
        }
        Ok(length)
    }
}

/// Splits `name:token` into its parts; other headers stay as they are.
fn typed_header(header: &str) -> (String, Option<Typed>) {
    let typed = |suffix| match suffix {
        "token" => Some(Typed::Token),
        "token_seq" => Some(Typed::TokenSeq),
        "float" => Some(Typed::Float),
        "float_seq" => Some(Typed::FloatSeq),
        _ => None,
    };
    match header.rsplit_once(':').and_then(|(name, suffix)| Some((name, typed(suffix)?))) {
        Some((name, kind)) => (name.to_string(), Some(kind)),
        None => (header.to_string(), None),
    }
}

fn csv_error(path: &Path, error: csv::Error) -> DataError {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            DataError::Ragged { path: path.to_path_buf(), line, expected: expected_len, found: len }
        }
        csv::ErrorKind::Io(e) => text::read_error(path, line, e),
        csv::ErrorKind::Utf8 { .. } => {
            DataError::Utf8 { path: path.to_path_buf(), line: line.max(1), column: "the header".into() }
        }
        other => DataError::Corrupt { path: path.to_path_buf(), format: "CSV", reason: format!("{other:?}") },
    }
}

impl Format for Delimited {
    fn columns(&self, path: &Path) -> Result<Vec<Column>, DataError> {
        let (mut reader, _) = self.reader(path)?;
        let headers: Vec<String> = match &self.names {
            Some(names) => names.clone(),
            None => reader
                .headers()
                .map_err(|e| csv_error(path, e))?
                .iter()
                .map(|h| h.trim_start_matches('\u{feff}').to_string())
                .collect(),
        };
        if headers.iter().all(|h| h.trim().is_empty()) {
            return Err(DataError::Empty { path: path.to_path_buf() });
        }
        let mut record = csv::ByteRecord::new();
        if !reader.read_byte_record(&mut record).map_err(|e| csv_error(path, e))? {
            return Err(DataError::HeaderOnly { path: path.to_path_buf() });
        }
        if record.len() != headers.len() {
            let line = record.position().map_or(1, csv::Position::line);
            let (expected, found) = (headers.len() as u64, record.len() as u64);
            return Err(DataError::Ragged { path: path.to_path_buf(), line, expected, found });
        }
        let column = |h: &String| {
            let (name, typed) = typed_header(h.trim());
            Column { name, data_type: DataType::Utf8, typed }
        };
        Ok(headers.iter().map(column).collect())
    }

    fn stream(&self, path: &Path, file: usize, columns: &[Column]) -> Result<RowStream, DataError> {
        let all = self.columns(path)?;
        let index = |c: &Column| {
            all.iter().position(|a| a.name == c.name).ok_or_else(|| DataError::NoColumn {
                path: path.to_path_buf(),
                column: c.name.clone(),
                available: all.iter().map(|a| a.name.as_str()).collect::<Vec<_>>().join(", "),
            })
        };
        let picked = columns.iter().map(index).collect::<Result<Vec<_>, _>>()?;
        let (reader, quotes) = self.reader(path)?;
        let mut rows = Records {
            path: path.to_path_buf(),
            file,
            reader,
            quotes,
            multiline: None,
            picked,
            schema: text_schema(columns),
        };
        Ok(chunks(move || rows.chunk()))
    }

    fn is_text(&self) -> bool {
        true
    }
}

/// The schema of text columns, all `Utf8`, with the position behind them.
pub(crate) fn text_schema(columns: &[Column]) -> SchemaRef {
    let fields = columns.iter().map(|c| Field::new(&c.name, c.data_type.clone(), true));
    let position = Field::new(POSITION, DataType::UInt64, false);
    Arc::new(Schema::new(fields.chain([position]).collect::<Vec<_>>()))
}

struct Records {
    path: PathBuf,
    file: usize,
    reader: csv::Reader<CountQuotes>,
    quotes: Arc<AtomicU64>,
    /// Line of the latest record, if a value of it spans lines.
    multiline: Option<u64>,
    picked: Vec<usize>,
    schema: SchemaRef,
}

impl Records {
    fn chunk(&mut self) -> Result<Option<RecordBatch>, DataError> {
        let mut builders: Vec<StringBuilder> = self.picked.iter().map(|_| StringBuilder::new()).collect();
        let mut lines = Vec::with_capacity(CHUNK_ROWS);
        let mut record = csv::ByteRecord::new();
        while lines.len() < CHUNK_ROWS {
            if !self.reader.read_byte_record(&mut record).map_err(|e| csv_error(&self.path, e))? {
                self.closed()?;
                break;
            }
            let line = record.position().map_or(0, csv::Position::line);
            self.multiline = record.iter().any(|v| v.contains(&b'\n')).then_some(line);
            lines.push(pack(self.file, line));
            for (at, (builder, &field)) in builders.iter_mut().zip(&self.picked).enumerate() {
                self.push(builder, record.get(field).unwrap_or(b""), line, at)?;
            }
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let mut arrays: Vec<ArrayRef> = builders.iter_mut().map(|b| Arc::new(b.finish()) as ArrayRef).collect();
        arrays.push(Arc::new(UInt64Array::from(lines)));
        Ok(Some(RecordBatch::try_new(self.schema.clone(), arrays)?))
    }

    /// Refuses a file whose last value opens a quote and never closes it.
    fn closed(&self) -> Result<(), DataError> {
        match self.multiline {
            Some(line) if !self.quotes.load(Ordering::Relaxed).is_multiple_of(2) => Err(DataError::Line {
                path: self.path.clone(),
                line,
                problem: "opens a quote that is never closed, so that the rest of the file is one value; close it, or set data.text.quote = \"none\"".into(),
            }),
            _ => Ok(()),
        }
    }

    fn push(&self, builder: &mut StringBuilder, bytes: &[u8], line: u64, at: usize) -> Result<(), DataError> {
        if bytes.is_empty() {
            builder.append_null();
            return Ok(());
        }
        let column = || self.schema.field(at).name().clone();
        let utf8 = |_| DataError::Utf8 { path: self.path.clone(), line, column: column() };
        builder.append_value(std::str::from_utf8(bytes).map_err(utf8)?);
        Ok(())
    }
}
