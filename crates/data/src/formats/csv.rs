//! Delimited text: CSV and TSV, with plain or typed headers (`name:token`), or given names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, StringBuilder, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::config::TextConfig;
use crate::error::DataError;
use crate::formats::text::{self, Guard};
use crate::source::{CHUNK_ROWS, Column, Format, Head, POSITION, RowStream, Typed, chunks, pack};

/// Reads delimited text.
pub(crate) struct Delimited {
    delimiter: u8,
    /// A delimiter of several characters, which `delimiter` stands for.
    several: Option<String>,
    quote: Option<u8>,
    escape: Option<u8>,
    text: TextConfig,
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
        let (delimiter, several) = delimiter_of(text, delimiter)?;
        let quote = quote.filter(|_| several.is_none() || text.quote.is_some());
        let escape = text.escape.map(|e| ascii("escape", e)).transpose()?;
        if escape.is_some() && quote.is_none() {
            let problem = "counts within quotes, and this text has none; say which ones with text.quote".into();
            return Err(DataError::Setting { key: "text.escape".into(), problem });
        }
        Ok(Self { delimiter, several, quote, escape, text: text.clone() })
    }

    fn reader(&self, path: &Path) -> Result<csv::Reader<Guard>, DataError> {
        let mut inner = text::open(path, &self.text)?;
        self.tell_quotes(path);
        if let Some(several) = &self.several {
            inner = Box::new(text::Delimiters::new(inner, path.to_path_buf(), several, (self.quote, self.escape)));
        }
        let text = Guard::new(inner, path.to_path_buf(), [self.quote, self.escape], self.delimiter);
        Ok(csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .quoting(self.quote.is_some())
            .quote(self.quote.unwrap_or(b'"'))
            .escape(self.escape)
            .has_headers(self.text.names.is_none())
            // Rows may end with delimiters that the header lacks: lengths are looked at here.
            .flexible(true)
            .buffer_capacity(1 << 18)
            .from_reader(text))
    }

    /// Says once a file that quotes stand for themselves where several characters part the cells.
    fn tell_quotes(&self, path: &Path) {
        static TOLD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
        let Some(several) = self.several.as_ref().filter(|_| self.text.quote.is_none()) else { return };
        if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_path_buf()) {
            tracing::info!(
                "{}: quotes are text, with the delimiter `{several}`; else name them in text.quote",
                path.display()
            );
        }
    }

    /// Cells of the first line.
    pub(crate) fn width(&self, path: &Path) -> Result<usize, DataError> {
        let mut reader = self.reader(path)?;
        Ok(reader.headers().map_err(|e| csv_error(path, e))?.len())
    }

    /// The names of the columns; those without one are numbered from 1.
    fn names(&self, path: &Path, reader: &mut csv::Reader<Guard>) -> Result<Vec<String>, DataError> {
        if let Some(names) = &self.text.names {
            return Ok(names.clone());
        }
        let header = reader.headers().map_err(|e| csv_error(path, e))?;
        let header: Vec<String> = header.iter().map(|h| h.trim().to_string()).collect();
        if header.iter().all(String::is_empty) {
            return Err(DataError::Empty { path: path.to_path_buf() });
        }
        if header[0].starts_with("sep=") && header[1..].iter().all(String::is_empty) {
            let problem = "is Excel's mark of the delimiter, and no header; delete this line, and set data.text.delimiter to what it says";
            return Err(DataError::Line { path: path.to_path_buf(), line: 1, problem: problem.into() });
        }
        let named = |(place, name): (usize, String)| match name.is_empty() {
            true => format!("unnamed_{}", place + 1),
            false => name,
        };
        Ok(header.into_iter().enumerate().map(named).collect())
    }
}

/// The byte between two cells, and what it stands for where that is several characters.
fn delimiter_of(text: &TextConfig, default: u8) -> Result<(u8, Option<String>), DataError> {
    match text.delimiter.as_deref() {
        None => Ok((default, None)),
        Some(d) if d.is_empty() || d.contains(['\n', '\r']) => Err(DataError::Setting {
            key: "text.delimiter".into(),
            problem: "is the text between two cells of a line; it cannot be empty or hold the end of a line".into(),
        }),
        Some(d) if d.len() == 1 => Ok((d.as_bytes()[0], None)),
        Some(d) => Ok((text::UNIT, Some(d.to_string()))),
    }
}

/// The line that a record begins on. The splitter counts line feeds that it has passed: one behind a carriage return, and those of
/// blank lines, it takes for the next record's.
fn line_of(reader: &csv::Reader<Guard>, record: &csv::ByteRecord) -> u64 {
    let begins = record.position().map_or(1, csv::Position::line);
    let within = memchr::memchr_iter(b'\n', record.as_slice()).count() as u64;
    let passed = reader.position().line().saturating_sub(u64::from(!reader.get_ref().has_returns()));
    begins.max(passed.saturating_sub(within))
}

/// Checks that a record has a cell a column: further ones must be empty. False for a line of blanks.
fn fits(path: &Path, record: &csv::ByteRecord, line: u64, columns: usize) -> Result<bool, DataError> {
    if record.len() == columns && columns > 1 {
        return Ok(true);
    }
    let blank = |cell: &[u8]| cell.iter().all(u8::is_ascii_whitespace);
    if record.len() == 1 && columns > 1 && blank(&record[0]) {
        return Ok(false);
    }
    if record.len() >= columns && record.iter().skip(columns).all(blank) {
        return Ok(true);
    }
    let (expected, found) = (columns as u64, record.len() as u64);
    Err(DataError::Ragged { path: path.to_path_buf(), line, expected, found })
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
        csv::ErrorKind::Io(e) => text::read_error(path, line, e),
        csv::ErrorKind::Utf8 { .. } => {
            DataError::Utf8 { path: path.to_path_buf(), line: line.max(1), column: "the header".into() }
        }
        other => DataError::Corrupt { path: path.to_path_buf(), format: "CSV", reason: format!("{other:?}") },
    }
}

impl Format for Delimited {
    fn head(&self, path: &Path) -> Result<Head, DataError> {
        let mut reader = self.reader(path)?;
        let names = self.names(path, &mut reader)?;
        let mut record = csv::ByteRecord::new();
        let mut rows = false;
        while !rows && reader.read_byte_record(&mut record).map_err(|e| csv_error(path, e))? {
            rows = fits(path, &record, line_of(&reader, &record), names.len())?;
        }
        let column = |name: &String| {
            let (name, typed) = typed_header(name);
            Column { name, data_type: DataType::Utf8, typed }
        };
        Ok(Head { columns: names.iter().map(column).collect(), rows })
    }

    fn stream(&self, path: &Path, file: usize, columns: &[Column]) -> Result<RowStream, DataError> {
        let mut reader = self.reader(path)?;
        let names = self.names(path, &mut reader)?;
        let place = |c: &Column| names.iter().position(|n| typed_header(n).0 == c.name);
        let null = self.text.null.iter().flatten().map(|token| token.trim().as_bytes().to_vec()).collect();
        let mut rows = Records {
            path: path.to_path_buf(),
            file,
            reader,
            picked: columns.iter().filter_map(place).collect(),
            width: names.len(),
            null,
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
    reader: csv::Reader<Guard>,
    picked: Vec<usize>,
    /// Columns of the file.
    width: usize,
    /// Cells that are missing values.
    null: Vec<Vec<u8>>,
    schema: SchemaRef,
}

impl Records {
    fn chunk(&mut self) -> Result<Option<RecordBatch>, DataError> {
        let mut builders: Vec<StringBuilder> = self.picked.iter().map(|_| StringBuilder::new()).collect();
        let mut lines = Vec::with_capacity(CHUNK_ROWS);
        let mut record = csv::ByteRecord::new();
        while lines.len() < CHUNK_ROWS {
            if !self.reader.read_byte_record(&mut record).map_err(|e| csv_error(&self.path, e))? {
                break;
            }
            let line = line_of(&self.reader, &record);
            if !fits(&self.path, &record, line, self.width)? {
                continue;
            }
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

    fn push(&self, builder: &mut StringBuilder, bytes: &[u8], line: u64, at: usize) -> Result<(), DataError> {
        if bytes.is_empty() || self.null.iter().any(|token| token == bytes.trim_ascii()) {
            builder.append_null();
            return Ok(());
        }
        let column = || self.schema.field(at).name().clone();
        let utf8 = |_| DataError::Utf8 { path: self.path.clone(), line, column: column() };
        builder.append_value(std::str::from_utf8(bytes).map_err(utf8)?);
        Ok(())
    }
}
