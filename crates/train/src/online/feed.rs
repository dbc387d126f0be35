//! The thread that reads events and makes them ready, ahead of the one that learns.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use arrow::array::RecordBatch;
use burnrec_data::events::{
    AHEAD as FAR_AHEAD, Events, Line, Parsed, Passed, Place, Rejected, Tail, Waiting, is_ahead_of_clock,
};
use burnrec_data::{DataError, time_values};
use burnrec_features::{Batch, Encoder, Purpose};
use rayon::prelude::*;

use super::Online;
use crate::error::TrainError;
use crate::feed::{Prepared, prepare};

/// Batches that are made ready ahead.
const AHEAD: usize = 8;
/// Lines of a file that are read at once, where a batch has fewer.
const BUNDLE: usize = 4096;
/// Lines that one task parses.
const LINES_A_TASK: usize = 1024;
/// Some events, ready to be learned from.
pub(super) struct Fed {
    /// Batches to learn from; none where no line was an event, several where many had waited for the same line.
    pub(super) prepared: Vec<Prepared>,
    /// The place behind them.
    pub(super) place: Place,
    /// The latest event time; 0 without one.
    pub(super) newest: i64,
    /// Events behind one of a later time.
    pub(super) late: u64,
    /// Lines that are none.
    pub(super) rejected: Vec<Rejected>,
    /// What became of events that wait for labels.
    pub(super) passed: Passed,
}

/// Encoded events of some lines.
struct Part {
    batch: Batch,
    /// Event times; empty without a column of them.
    times: Vec<i64>,
    /// Numbers of the lines.
    numbers: Vec<u64>,
}

struct Feeder<P> {
    events: Events,
    encoder: Arc<Encoder>,
    columns: Vec<String>,
    time: Option<String>,
    newest: i64,
    /// Where events wait for labels.
    waiting: Option<Waiting>,
    ready: P,
}

/// Starts it.
pub(super) fn start(online: &Online<'_>, mut tail: Tail) -> Receiver<Result<Fed, TrainError>> {
    let (send, receiver) = sync_channel(AHEAD);
    let (encoder, job) = (online.encoder.clone(), &online.job);
    let mut columns = encoder.schema().columns(true);
    columns.extend(job.time.iter().filter(|time| !columns.contains(time)).cloned().collect::<Vec<_>>());
    let schema = encoder.schema();
    let listed = (0..schema.categorical.len()).filter(|place| schema.is_list(*place));
    let lists: Vec<String> = listed.flat_map(|place| schema.columns_of(place)).cloned().collect();
    let (rows, wait, stop) = (job.rows, job.wait, job.stop.clone());
    let mut feeder = Feeder {
        events: Events::new(&job.input.name(), &columns, &lists, online.checked.experiment().data.time_unit),
        ready: prepare(online.stepper.weights.tables.indexer(), Some(online.checked.tasks().clone())),
        newest: online.progress.stream.newest,
        waiting: online.waiting(),
        time: job.time.clone(),
        encoder,
        columns,
    };
    thread::spawn(move || {
        // A file is cut by its lines alone, so that every run of it makes the same batches; many of them are read at once.
        let (most, patience) = match tail.is_endless() {
            true => (rows, wait),
            false => (rows * (BUNDLE / rows).max(1), Duration::from_secs(3600)),
        };
        while !tail.is_over() && !stop.is_asked() {
            let fed = match tail.next(most, patience) {
                Ok(lines) if lines.is_empty() => continue,
                Ok(lines) => feeder.feed(lines, rows),
                Err(error) => Err(error.into()),
            };
            let (some, failed) = match fed {
                Ok(some) => (some, None),
                Err(error) => (Vec::new(), Some(error)),
            };
            for one in some {
                if send.send(Ok(one)).is_err() {
                    return;
                }
            }
            if let Some(error) = failed {
                drop(send.send(Err(error)));
                return;
            }
        }
    });
    receiver
}

/// The place behind a line.
fn place(line: &Line) -> Place {
    Place { bytes: line.end, lines: line.number, entry: line.entry.unwrap_or_default() }
}

fn together(parts: Vec<Part>) -> Option<Batch> {
    parts.into_iter().map(|part| part.batch).reduce(|mut all, more| {
        all.append(&more);
        all
    })
}

impl<P: Fn(Batch) -> Prepared> Feeder<P> {
    /// Makes batches of so many lines.
    fn feed(&mut self, lines: Vec<Line>, rows: usize) -> Result<Vec<Fed>, TrainError> {
        match self.waiting.is_some() {
            true => lines.chunks(rows).map(|some| self.feed_waiting(some.to_vec(), rows)).collect(),
            false => self.feed_at_once(lines, rows),
        }
    }

    /// Makes batches of the events that have waited long enough once these lines came.
    fn feed_waiting(&mut self, lines: Vec<Line>, rows: usize) -> Result<Fed, TrainError> {
        let place = lines.last().map(place).unwrap_or_default();
        let Some(waiting) = &mut self.waiting else { return Err(TrainError::HalfStep) };
        let mut passed = waiting.pass(lines)?;
        let (newest, late) = (waiting.newest(), passed.late);
        let mut rejected = std::mem::take(&mut passed.rejected);
        let Parsed { rows: parsed, lines, rejected: more } = self.events.parse(passed.released.clone())?;
        rejected.extend(more);
        let mut kept = Vec::new();
        self.encode(&parsed, &lines, &mut kept, &mut rejected)?;
        rejected.sort_by_key(|one| one.line.number);
        let prepared = together(kept).map_or_else(Vec::new, |all| {
            let own: Vec<u32> = (0..all.rows as u32).collect();
            own.chunks(rows).map(|own| (self.ready)(all.take(own))).collect()
        });
        Ok(Fed { prepared, place, newest, late, rejected, passed })
    }

    fn feed_at_once(&mut self, lines: Vec<Line>, rows: usize) -> Result<Vec<Fed>, TrainError> {
        let ends: Vec<Place> = lines.chunks(rows).filter_map(|chunk| chunk.last()).map(place).collect();
        let (before, mut kept, mut rejected) = (self.newest, Vec::new(), Vec::new());
        for parsed in self.parse(lines)? {
            rejected.extend(parsed.rejected);
            self.encode(&parsed.rows, &parsed.lines, &mut kept, &mut rejected)?;
        }
        rejected.sort_by_key(|one| one.line.number);
        let numbers: Vec<u64> = kept.iter().flat_map(|part| part.numbers.iter().copied()).collect();
        let times: Vec<i64> = kept.iter().flat_map(|part| part.times.iter().copied()).collect();
        let all = together(kept);
        let (mut from, mut newest, mut rejected) = (0, before, rejected.into_iter().peekable());
        let mut fed = Vec::with_capacity(ends.len());
        for place in ends {
            let line = place.lines;
            let to = from + numbers[from..].partition_point(|number| *number <= line);
            let mut late = 0;
            for time in times.get(from..to).unwrap_or_default() {
                late += u64::from(*time < newest);
                newest = newest.max(*time);
            }
            let own: Vec<u32> = (from as u32..to as u32).collect();
            let prepared = all.as_ref().filter(|_| to > from).map(|all| (self.ready)(all.take(&own)));
            let prepared = prepared.into_iter().collect();
            let aside = std::iter::from_fn(|| rejected.next_if(|one| one.line.number <= line)).collect();
            fed.push(Fed { prepared, place, newest, late, rejected: aside, passed: Passed::default() });
            from = to;
        }
        self.newest = newest;
        Ok(fed)
    }

    /// Parses lines, in parts side by side where there are many.
    fn parse(&self, mut lines: Vec<Line>) -> Result<Vec<Parsed>, TrainError> {
        let mut parts = Vec::with_capacity(lines.len().div_ceil(LINES_A_TASK));
        while lines.len() > LINES_A_TASK {
            let rest = lines.split_off(LINES_A_TASK);
            parts.push(std::mem::replace(&mut lines, rest));
        }
        parts.push(lines);
        let events = &self.events;
        Ok(parts.into_par_iter().map(|part| events.parse(part)).collect::<Result<_, _>>()?)
    }

    /// Encodes rows; where one of them cannot be, halves of them, until it stands alone and is put aside.
    fn encode(
        &self,
        rows: &RecordBatch,
        lines: &[Line],
        kept: &mut Vec<Part>,
        rejected: &mut Vec<Rejected>,
    ) -> Result<(), TrainError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        match self.encode_all(rows) {
            Ok((batch, times)) => {
                kept.push(Part { batch, times, numbers: lines.iter().map(|line| line.number).collect() })
            }
            Err(error) if rows.num_rows() == 1 => {
                rejected.push(Rejected { line: lines[0].clone(), reason: error.to_string() });
            }
            Err(_) => {
                let half = rows.num_rows() / 2;
                self.encode(&rows.slice(0, half), &lines[..half], kept, rejected)?;
                let rest = rows.num_rows() - half;
                self.encode(&rows.slice(half, rest), &lines[half..], kept, rejected)?;
            }
        }
        Ok(())
    }

    fn encode_all(&self, rows: &RecordBatch) -> Result<(Batch, Vec<i64>), TrainError> {
        debug_assert!(self.columns.len() < rows.num_columns());
        let times = match &self.time {
            Some(time) => time_values(rows, time, &self.events)?,
            None => Vec::new(),
        };
        if let (Some(column), true) = (&self.time, times.iter().any(|time| is_ahead_of_clock(*time))) {
            return Err(DataError::Setting { key: column.clone(), problem: FAR_AHEAD.into() }.into());
        }
        Ok((self.encoder.encode(rows, &self.events, Purpose::Later)?, times))
    }
}
