//! Event-time order with bounded memory: sorted runs go to temporary Arrow files, then are merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, interleave_record_batch, take_record_batch};
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;

use crate::clock::Clock;
use crate::error::DataError;
use crate::source::{CHUNK_ROWS, Column, Location, RowStream, Source, positions};
use crate::time::time_values;

/// Rows sorted in memory at once.
const RUN_ROWS: usize = 1 << 19;

/// A source in the order of a time column; equal times keep the order of the file.
pub(crate) struct Sorted {
    inner: Arc<dyn Source>,
    by: String,
}

impl Sorted {
    pub(crate) fn new(inner: Arc<dyn Source>, by: String) -> Self {
        Self { inner, by }
    }
}

impl Source for Sorted {
    fn columns(&self) -> &[Column] {
        self.inner.columns()
    }

    fn stream(&self, columns: &[String]) -> Result<RowStream, DataError> {
        let mut wanted = columns.to_vec();
        let extra = !wanted.contains(&self.by);
        if extra {
            wanted.push(self.by.clone());
        }
        let mut runs = Vec::new();
        let mut pending = Vec::new();
        let mut rows = 0;
        for batch in self.inner.stream(&wanted)? {
            let batch = batch?;
            rows += batch.num_rows();
            pending.push(batch);
            if rows >= RUN_ROWS {
                runs.push(Run::write(&self.sorted(&pending)?)?);
                pending.clear();
                rows = 0;
            }
        }
        if runs.is_empty() {
            if pending.is_empty() {
                return Ok(Box::new(std::iter::empty()));
            }
            let sorted = self.sorted(&pending)?;
            let chunks = (0..sorted.num_rows()).step_by(CHUNK_ROWS);
            let slices: Vec<_> = chunks
                .map(|at| Ok(drop_column(&sorted.slice(at, CHUNK_ROWS.min(sorted.num_rows() - at)), extra)?))
                .collect();
            return Ok(Box::new(slices.into_iter()));
        }
        if !pending.is_empty() {
            runs.push(Run::write(&self.sorted(&pending)?)?);
        }
        Ok(Box::new(Merge::new(runs, self.by.clone(), extra, self.inner.clone())?))
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

impl Sorted {
    fn sorted(&self, batches: &[RecordBatch]) -> Result<RecordBatch, DataError> {
        let all = concat_batches(&batches[0].schema(), batches)?;
        let times = time_values(&all, &self.by, &*self.inner)?;
        let mut order: Vec<u32> = (0..all.num_rows() as u32).collect();
        order.sort_by(|&a, &b| times[a as usize].cmp(&times[b as usize]));
        Ok(take_record_batch(&all, &UInt32Array::from(order))?)
    }
}

/// Leaves out the sort column where nobody asked for it; it stands before the position column.
fn drop_column(batch: &RecordBatch, extra: bool) -> Result<RecordBatch, arrow::error::ArrowError> {
    let last = batch.num_columns() - 1;
    match extra {
        true => batch.project(&(0..=last).filter(|&i| i + 1 != last).collect::<Vec<_>>()),
        false => Ok(batch.clone()),
    }
}

struct Run {
    reader: FileReader<BufReader<File>>,
}

impl Run {
    fn write(batch: &RecordBatch) -> Result<Self, DataError> {
        let io = |e| DataError::io(&std::env::temp_dir(), e);
        let file = tempfile::tempfile().map_err(io)?;
        let mut writer = FileWriter::try_new(file.try_clone().map_err(io)?, &batch.schema())?;
        for at in (0..batch.num_rows()).step_by(CHUNK_ROWS) {
            writer.write(&batch.slice(at, CHUNK_ROWS.min(batch.num_rows() - at)))?;
        }
        writer.finish()?;
        Ok(Self { reader: FileReader::try_new(BufReader::new(file), None)? })
    }
}

/// A head of a run: its time and place decide, so that the merge is stable.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    time: i64,
    run: usize,
    position: u64,
}

struct Merge {
    runs: Vec<Run>,
    current: Vec<Option<(RecordBatch, Vec<i64>, usize)>>,
    heap: BinaryHeap<Reverse<Head>>,
    by: String,
    extra: bool,
    source: Arc<dyn Source>,
}

impl Merge {
    fn new(runs: Vec<Run>, by: String, extra: bool, source: Arc<dyn Source>) -> Result<Self, DataError> {
        let current = runs.iter().map(|_| None).collect();
        let mut merge = Self { runs, current, heap: BinaryHeap::new(), by, extra, source };
        for run in 0..merge.runs.len() {
            merge.load(run)?;
            merge.push(run);
        }
        Ok(merge)
    }

    fn load(&mut self, run: usize) -> Result<(), DataError> {
        self.current[run] = match self.runs[run].reader.next().transpose()? {
            Some(batch) => {
                let times = time_values(&batch, &self.by, &*self.source)?;
                Some((batch, times, 0))
            }
            None => None,
        };
        Ok(())
    }

    fn push(&mut self, run: usize) {
        if let Some((batch, times, at)) = &self.current[run] {
            let (time, position) = (times[*at], positions(batch)[*at]);
            self.heap.push(Reverse(Head { time, run, position }));
        }
    }

    fn chunk(&mut self) -> Result<Option<RecordBatch>, DataError> {
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut slot: Vec<Option<usize>> = vec![None; self.runs.len()];
        let mut picks = Vec::with_capacity(CHUNK_ROWS);
        while picks.len() < CHUNK_ROWS {
            let Some(Reverse(head)) = self.heap.pop() else { break };
            let Some((batch, times, at)) = self.current[head.run].as_mut() else { break };
            let which = *slot[head.run].get_or_insert_with(|| {
                batches.push(batch.clone());
                batches.len() - 1
            });
            picks.push((which, *at));
            *at += 1;
            if *at == times.len() {
                slot[head.run] = None;
                self.load(head.run)?;
            }
            self.push(head.run);
        }
        if picks.is_empty() {
            return Ok(None);
        }
        let merged = interleave_record_batch(&batches.iter().collect::<Vec<_>>(), &picks)?;
        Ok(Some(drop_column(&merged, self.extra)?))
    }
}

impl Iterator for Merge {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.chunk().transpose()
    }
}
