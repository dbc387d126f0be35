//! The log as it passes.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::concat_batches;
use burnrec_data::value::Values;
use burnrec_data::{DataConfig, RowStream, Source, positions, time_values};
use burnrec_features::{ids, stream_seed};
use serde::{Deserialize, Serialize};

use super::config::LogConfig;
use crate::environment::{Environment, Feedback, Request, Tally, check_clock, check_slate};
use crate::error::RlError;

/// A request whose rows were read.
struct Read {
    request: Request,
    rows: RecordBatch,
    clicks: Vec<bool>,
}

/// What must be saved: where it stands, and what is open there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    now: f64,
    /// Rows that were given out.
    given: u64,
    requests: u64,
    open: HashMap<u64, (f64, Vec<bool>)>,
    heard: VecDeque<Feedback>,
}

/// A log that passes once.
pub struct LogReplay {
    config: LogConfig,
    source: Arc<dyn Source>,
    columns: Vec<String>,
    stream: RowStream,
    /// Rows that were read and not given out.
    rest: Option<RecordBatch>,
    waiting: VecDeque<Read>,
    /// The time of the first row, in nanoseconds since 1970.
    first: Option<i64>,
    /// The time of the request that was read last.
    latest: f64,
    end: f64,
    rows: HashMap<u64, RecordBatch>,
    about: HashMap<u64, u64>,
    state: State,
}

impl LogReplay {
    /// A log, with the columns that features read, for some hours from its first row.
    ///
    /// # Errors
    /// Columns that are not there.
    pub fn open(
        path: &Path,
        data: &DataConfig,
        config: LogConfig,
        features: &[String],
        hours: f64,
    ) -> Result<Self, RlError> {
        let source = burnrec_data::open(path, data)?;
        let mut columns = config.columns();
        columns.extend(features.iter().cloned());
        let mut once = std::collections::HashSet::new();
        columns.retain(|column| once.insert(column.clone()));
        columns.iter().try_for_each(|column| source.column(column).map(drop))?;
        let stream = source.stream(&columns)?;
        Ok(Self {
            config,
            source,
            columns,
            stream,
            rest: None,
            waiting: VecDeque::new(),
            first: None,
            latest: 0.0,
            end: hours * 3_600.0,
            rows: HashMap::new(),
            about: HashMap::new(),
            state: State::default(),
        })
    }

    /// Reads one more batch, and divides it into requests; the last one may go on in the next. False at the end.
    fn read(&mut self) -> Result<bool, RlError> {
        let next = self.stream.next().transpose()?;
        let is_last = next.is_none();
        let batch = match (self.rest.take(), next) {
            (Some(rest), Some(next)) => concat_batches(&next.schema(), [&rest, &next])?,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return Ok(false),
        };
        let keys = ids(&batch, &*self.source, &self.config.request)?;
        let mut start = 0;
        for at in 1..=keys.len() {
            if at == keys.len() && !is_last {
                self.rest = Some(batch.slice(start, at - start));
            } else if at == keys.len() || keys[at] != keys[start] {
                self.take(batch.slice(start, at - start))?;
                start = at;
            }
        }
        Ok(true)
    }

    fn take(&mut self, rows: RecordBatch) -> Result<(), RlError> {
        let source = &*self.source;
        let hash = |column: &str| -> Result<Vec<u64>, RlError> {
            Ok(ids(&rows, source, column)?.iter().map(|id| stream_seed(0, id, 0)).collect())
        };
        let nanoseconds = time_values(&rows, &self.config.time, source)?[0];
        let first = *self.first.get_or_insert(nanoseconds);
        let time = (nanoseconds - first) as f64 / 1e9;
        let (users, items) = (hash(&self.config.user)?, hash(&self.config.item)?);
        if let Some(about) = &self.config.about {
            let about = hash(about)?;
            self.about.extend(items.iter().copied().zip(about));
        }
        let click = rows.column_by_name(&self.config.click).and_then(|array| Values::of(array).ok());
        let number = |row: usize| click.as_ref().and_then(|values| values.number(row).ok().flatten());
        let bad = |row: usize, problem: &str| {
            let place = source.locate(positions(&rows).get(row).copied().unwrap_or_default());
            RlError::Log { path: place.path.display().to_string(), row: place.number as usize, problem: problem.into() }
        };
        let clicks = (0..rows.num_rows()).map(|row| match number(row) {
            Some(0.0) => Ok(false),
            Some(1.0) => Ok(true),
            _ => Err(bad(
                row,
                &format!("column {} holds neither 0 nor 1, nor true or false; write it so", self.config.click),
            )),
        });
        let clicks = clicks.collect::<Result<Vec<_>, _>>()?;
        if time < self.latest {
            let problem =
                "is of an earlier time than the request before it; set data.sort_by to the column of the time";
            return Err(bad(0, problem));
        }
        self.latest = time;
        // Some logs have an item twice in one list: it was clicked if one of them was.
        let mut once: HashMap<u64, bool> = HashMap::new();
        items.iter().zip(&clicks).for_each(|(item, clicked)| *once.entry(*item).or_default() |= clicked);
        let mut seen = std::collections::HashSet::new();
        let own: Vec<u32> = (0..items.len() as u32).filter(|row| seen.insert(items[*row as usize])).collect();
        let clicks: Vec<bool> = items.iter().map(|item| once.get(item).copied().unwrap_or_default()).collect();
        let pick = |row: &u32| *row as usize;
        let rows = match own.len() == items.len() {
            true => rows,
            false => arrow::compute::take_record_batch(&rows, &UInt32Array::from(own.clone()))?,
        };
        self.state.requests += 1;
        let request = Request {
            id: self.state.requests,
            time,
            user: users[0],
            candidates: own.iter().map(|row| items[pick(row)]).collect(),
        };
        let clicks = own.iter().map(|row| clicks[pick(row)]).collect();
        self.waiting.push_back(Read { request, rows, clicks });
        Ok(())
    }
}

impl Environment for LogReplay {
    fn requests(&mut self, until: f64) -> Result<Vec<Request>, RlError> {
        check_clock(self.state.now, until)?;
        let mut requests = Vec::new();
        loop {
            match self.waiting.front().map(|read| read.request.time) {
                None if self.read()? => continue,
                None => break,
                Some(time) if time > until => break,
                Some(_) => {}
            }
            let Some(Read { request, rows, clicks }) = self.waiting.pop_front() else { break };
            self.state.given += rows.num_rows() as u64;
            self.state.open.insert(request.id, (request.time, clicks));
            self.rows.insert(request.id, rows);
            requests.push(request);
        }
        self.state.now = until;
        Ok(requests)
    }

    fn rows(&mut self, requests: &[Request]) -> Result<RecordBatch, RlError> {
        let missing =
            |r: &Request| RlError::Request { request: r.id, user: r.user, problem: "is of another time".into() };
        let own = requests.iter().map(|request| self.rows.get(&request.id).ok_or_else(|| missing(request)));
        let own = own.collect::<Result<Vec<_>, _>>()?;
        let Some(first) = own.first() else {
            return Ok(RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty())));
        };
        Ok(concat_batches(&first.schema(), own.iter().copied())?)
    }

    fn source(&self) -> &dyn Source {
        &*self.source
    }

    fn show(&mut self, request: u64, slate: &[usize]) -> Result<(), RlError> {
        let problem = "was not made, or was answered before".to_string();
        let (_, clicks) = self.state.open.get(&request).ok_or(RlError::Slate { request, problem })?;
        check_slate(request, clicks.len(), slate)?;
        let Some((time, clicks)) = self.state.open.remove(&request) else { return Ok(()) };
        self.rows.remove(&request);
        let clicks = slate.iter().map(|candidate| clicks[*candidate]).collect();
        self.state.heard.push_back(Feedback { request, time: time + self.config.delay_seconds, clicks });
        Ok(())
    }

    fn feedback(&mut self, until: f64) -> Vec<Feedback> {
        let mut all = Vec::new();
        while self.state.heard.front().is_some_and(|feedback| feedback.time <= until) {
            all.extend(self.state.heard.pop_front());
        }
        all
    }

    fn similarity(&self, a: u64, b: u64) -> f64 {
        match (self.about.get(&a), self.about.get(&b)) {
            (Some(a), Some(b)) => f64::from(u8::from(a == b)),
            _ => f64::from(u8::from(a == b)),
        }
    }

    fn truth(&self, _request: &Request) -> Option<Vec<(f64, f64)>> {
        None
    }

    fn labels(&self, request: &Request) -> Option<Vec<bool>> {
        self.state.open.get(&request.id).map(|(_, clicks)| clicks.clone())
    }

    fn tally(&mut self) -> Tally {
        Tally::default()
    }

    fn end(&self) -> f64 {
        self.end
    }

    fn save(&self) -> Result<Vec<u8>, RlError> {
        let problem = |e: postcard::Error| RlError::State { path: "log replay".into(), problem: e.to_string() };
        postcard::to_allocvec(&self.state).map_err(problem)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), RlError> {
        let path = self.source.path().display().to_string();
        let problem = |problem: String| RlError::State { path: path.clone(), problem };
        let state: State = postcard::from_bytes(bytes).map_err(|e| problem(format!("its state is damaged ({e})")))?;
        // The log is read once more up to where it stood.
        self.stream = self.source.stream(&self.columns)?;
        (self.rest, self.first, self.latest, self.state) = (None, None, 0.0, State::default());
        (self.waiting, self.rows, self.about) = Default::default();
        while self.state.given < state.given {
            let now = self.state.now;
            match self.waiting.front().map(|read| read.request.time) {
                None if self.read()? => continue,
                None => return Err(problem("has fewer rows than were read before".into())),
                Some(time) => drop(self.requests(time.max(now))?),
            }
        }
        let behind = self.state.requests;
        self.rows.retain(|request, _| state.open.contains_key(request));
        self.state = state;
        // Requests that were read ahead have their numbers.
        self.state.requests = behind;
        Ok(())
    }
}
