//! Rows in the order of event time, kept so that a stretch of time is read without the rest.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use tempfile::NamedTempFile;

use crate::clock::Clock;
use crate::error::DataError;
use crate::rows::Sorted;
use crate::source::{Column, Location, POSITION, RowStream, Source, chunks, positions};
use crate::time::time_values;
use crate::windows::Length;
use crate::windows::cut::{Cut, Stretch};

/// A source in the order of a time column, in a temporary Arrow file. Memory: two numbers a chunk of rows, and one entry a
/// window.
pub struct Spooled {
    inner: Arc<dyn Source>,
    columns: Vec<Column>,
    time: String,
    file: Arc<NamedTempFile>,
    /// First and last moment of each chunk.
    spans: Vec<(i64, i64)>,
    windows: Vec<Stretch>,
    rows: u64,
    ordered: bool,
}

impl Spooled {
    /// Reads the named columns of all rows once, sorts them by `time`, and cuts them into windows of `cut`.
    ///
    /// # Errors
    /// Unreadable rows, rows without a time or with one in the future, a disk without room.
    pub fn new(source: Arc<dyn Source>, time: &str, columns: &[String], cut: &Cut) -> Result<Self, DataError> {
        let io = |e| DataError::io(&std::env::temp_dir(), e);
        source.column(time)?;
        let mut names: Vec<String> = columns.to_vec();
        if !names.iter().any(|name| name == time) {
            names.push(time.to_string());
        }
        let kept = names.iter().map(|name| source.column(name).cloned()).collect::<Result<Vec<_>, _>>()?;
        let sorted = Sorted::new(source.clone(), time.to_string());
        let file = NamedTempFile::with_prefix(".tmp-burnrec-windows-").map_err(io)?;
        let (mut writer, mut spans, mut counter) = (None, Vec::new(), cut.counter());
        let (mut rows, mut ordered, mut last_place) = (0u64, true, 0u64);
        for batch in sorted.stream(&names)? {
            let batch = batch?;
            let times = time_values(&batch, time, &*source)?;
            for (moment, place) in times.iter().zip(positions(&batch)) {
                cut.check(*moment, time, || source.locate(*place).to_string())?;
                ordered &= *place >= last_place;
                last_place = *place;
            }
            let (Some(first), Some(last)) = (times.first(), times.last()) else { continue };
            counter.add(&times, &batch);
            spans.push((*first, *last));
            rows += times.len() as u64;
            let to = match &mut writer {
                Some(writer) => writer,
                None => writer.insert(FileWriter::try_new(file.reopen().map_err(io)?, &batch.schema())?),
            };
            to.write(&batch)?;
        }
        if let Some(mut writer) = writer {
            writer.finish()?;
        }
        let windows = counter.found(source.path(), time)?;
        Ok(Self {
            inner: source,
            columns: kept,
            time: time.to_string(),
            file: Arc::new(file),
            spans,
            windows,
            rows,
            ordered,
        })
    }

    /// The windows that have rows, in the order of time.
    pub fn windows(&self) -> &[Stretch] {
        &self.windows
    }

    /// The stretches of another length that have rows from a moment on; without sums over what these hold.
    ///
    /// # Errors
    /// Too many of them.
    pub fn cut(&self, length: Length, from: i64) -> Result<Vec<Stretch>, DataError> {
        let mut counter = Cut::new(length).counter();
        let column = [self.time.clone()];
        for batch in self.stream(&column)? {
            let batch = batch?;
            let times = time_values(&batch, &self.time, &*self.inner)?;
            counter.count(times.into_iter().filter(|time| *time >= from));
        }
        counter.found(self.inner.path(), &self.time)
    }

    /// Rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether the source has its rows in the order of time.
    pub fn is_ordered(&self) -> bool {
        self.ordered
    }

    fn read(&self, wanted: &[String], chunks_wanted: std::ops::Range<usize>) -> Result<RowStream, DataError> {
        for name in wanted {
            self.column(name)?;
        }
        if chunks_wanted.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let file: File = self.file.reopen().map_err(|e| DataError::io(self.file.path(), e))?;
        let mut reader = FileReader::try_new(BufReader::new(file), None)?;
        let schema = reader.schema();
        let mut places = Vec::with_capacity(wanted.len() + 1);
        for name in wanted.iter().map(String::as_str).chain([POSITION]) {
            places.push(schema.index_of(name)?);
        }
        reader.set_index(chunks_wanted.start)?;
        let (mut left, held) = (chunks_wanted.len(), self.file.clone());
        Ok(chunks(move || {
            // The file lives as long as it is read.
            let _held = &held;
            if left == 0 {
                return Ok(None);
            }
            left -= 1;
            let batch: Option<RecordBatch> = reader.next().transpose()?;
            Ok(batch.map(|batch| batch.project(&places)).transpose()?)
        }))
    }
}

impl Source for Spooled {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn stream(&self, columns: &[String]) -> Result<RowStream, DataError> {
        self.read(columns, 0..self.spans.len())
    }

    fn stream_around(&self, columns: &[String], time: &str, from: i64, to: i64) -> Result<RowStream, DataError> {
        if time != self.time {
            return self.stream(columns);
        }
        let start = self.spans.partition_point(|(_, last)| *last < from);
        let end = self.spans.partition_point(|(first, _)| *first < to);
        self.read(columns, start..end.max(start))
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
