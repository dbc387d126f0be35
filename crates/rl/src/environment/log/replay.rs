//! The log as it passes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use burnrec_data::{RowStream, Source, time_values};
use burnrec_features::ids;
use serde::{Deserialize, Serialize};

use super::form::{Form, Taken, bad_row};
use crate::environment::{Environment, Feedback, Request, Tally, check_clock, check_slate};
use crate::error::RlError;

/// A request that is not yet answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    time: f64,
    clicks: Vec<Option<bool>>,
    propensity: Option<f64>,
}

/// What must be saved: where it stands, and what is open there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    now: f64,
    /// Rows that were given out.
    given: u64,
    requests: u64,
    open: HashMap<u64, Open>,
    heard: VecDeque<Feedback>,
}

/// A log that passes once.
pub struct LogReplay {
    form: Box<dyn Form>,
    source: Arc<dyn Source>,
    columns: Vec<String>,
    stream: RowStream,
    /// Rows that were read and not given out.
    rest: Option<RecordBatch>,
    /// Requests that were read and not given out, with their times.
    waiting: VecDeque<(f64, RecordBatch)>,
    /// The time of the first row, in nanoseconds since 1970.
    first: Option<i64>,
    /// The time of the request that was read last.
    latest: f64,
    end: f64,
    rows: HashMap<u64, RecordBatch>,
    state: State,
}

impl LogReplay {
    /// A log, with the columns that features read, for some hours from its first row.
    ///
    /// # Errors
    /// Columns that are not there.
    pub fn open(
        source: Arc<dyn Source>,
        form: Box<dyn Form>,
        features: &[String],
        hours: f64,
    ) -> Result<Self, RlError> {
        let mut columns = form.columns();
        columns.extend(features.iter().cloned());
        let mut once = std::collections::HashSet::new();
        columns.retain(|column| once.insert(column.clone()));
        columns.iter().try_for_each(|column| source.column(column).map(drop))?;
        let stream = source.stream(&columns)?;
        Ok(Self {
            form,
            source,
            columns,
            stream,
            rest: None,
            waiting: VecDeque::new(),
            first: None,
            latest: 0.0,
            end: hours * 3_600.0,
            rows: HashMap::new(),
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
        self.form.check(&batch, &*self.source)?;
        let keys = self.form.request().map(|column| ids(&batch, &*self.source, column)).transpose()?;
        let rows = batch.num_rows();
        let differ = |at: usize, start: usize| keys.as_ref().is_none_or(|keys| keys[at] != keys[start]);
        let mut start = 0;
        for at in 1..=rows {
            if at == rows && !is_last && keys.is_some() {
                self.rest = Some(batch.slice(start, at - start));
            } else if at == rows || differ(at, start) {
                self.queue(batch.slice(start, at - start))?;
                start = at;
            }
        }
        Ok(true)
    }

    /// Puts the rows of a request behind the others.
    fn queue(&mut self, rows: RecordBatch) -> Result<(), RlError> {
        let nanoseconds = time_values(&rows, self.form.time(), &*self.source)?[0];
        let first = *self.first.get_or_insert(nanoseconds);
        let time = (nanoseconds - first) as f64 / 1e9;
        if time < self.latest {
            let problem =
                "is of an earlier time than the request before it; set data.sort_by to the column of the time";
            return Err(bad_row(&rows, 0, &*self.source, problem));
        }
        self.latest = time;
        self.waiting.push_back((time, rows));
        Ok(())
    }

    /// Makes a request of its rows: not before it is given out, since each may hold all items.
    fn take(&mut self, time: f64, rows: RecordBatch) -> Result<Request, RlError> {
        let Taken { rows, user, candidates, clicks, propensity } = self.form.take(rows, &*self.source)?;
        self.state.requests += 1;
        let id = self.state.requests;
        self.state.open.insert(id, Open { time, clicks, propensity });
        self.rows.insert(id, rows);
        Ok(Request { id, time, user: user.unwrap_or(id), candidates })
    }
}

impl Environment for LogReplay {
    fn requests(&mut self, until: f64) -> Result<Vec<Request>, RlError> {
        check_clock(self.state.now, until)?;
        let mut requests = Vec::new();
        loop {
            match self.waiting.front().map(|(time, _)| *time) {
                None if self.read()? => continue,
                None => break,
                Some(time) if time > until => break,
                Some(_) => {}
            }
            let Some((time, rows)) = self.waiting.pop_front() else { break };
            self.state.given += rows.num_rows() as u64;
            requests.push(self.take(time, rows)?);
        }
        self.state.now = until;
        Ok(requests)
    }

    fn rows(&mut self, requests: &[Request]) -> Result<RecordBatch, RlError> {
        let missing =
            |r: &Request| RlError::Request { request: r.id, user: r.user, problem: "is of another time".into() };
        let own = requests.iter().map(|request| {
            self.rows.get(&request.id).ok_or_else(|| missing(request)).and_then(|rows| self.form.candidates(rows))
        });
        let own = own.collect::<Result<Vec<_>, _>>()?;
        let Some(first) = own.first() else {
            return Ok(RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty())));
        };
        Ok(concat_batches(&first.schema(), own.iter())?)
    }

    fn source(&self) -> &dyn Source {
        &*self.source
    }

    fn show(&mut self, request: u64, slate: &[usize]) -> Result<(), RlError> {
        let problem = "was not made, or was answered before".to_string();
        let open = self.state.open.get(&request).ok_or(RlError::Slate { request, problem })?;
        check_slate(request, open.clicks.len(), slate)?;
        let Some(Open { time, clicks, propensity }) = self.state.open.remove(&request) else { return Ok(()) };
        self.rows.remove(&request);
        // Of a list that the log does not have nobody ever hears.
        if let Some(clicks) = slate.iter().map(|candidate| clicks[*candidate]).collect::<Option<Vec<bool>>>() {
            let time = time + self.form.delay_seconds();
            self.state.heard.push_back(Feedback { request, time, clicks, propensity });
        }
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
        self.form.similarity(a, b)
    }

    fn truth(&self, _request: &Request) -> Option<Vec<(f64, f64)>> {
        None
    }

    fn labels(&self, request: &Request) -> Vec<Option<bool>> {
        self.state.open.get(&request.id).map_or_else(Vec::new, |open| open.clicks.clone())
    }

    fn logged(&self, request: &Request) -> Option<RecordBatch> {
        self.rows.get(&request.id).cloned()
    }

    fn doubts(&self) -> Vec<String> {
        self.form.doubts()
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
        (self.waiting, self.rows) = Default::default();
        while self.state.given < state.given {
            let now = self.state.now;
            match self.waiting.front().map(|(time, _)| *time) {
                None if self.read()? => continue,
                None => return Err(problem("has fewer rows than were read before".into())),
                Some(time) => drop(self.requests(time.max(now))?),
            }
            // Of those that were answered nothing is asked again.
            self.state.open.clear();
            self.rows.retain(|request, _| state.open.contains_key(request));
        }
        self.state = state;
        Ok(())
    }
}
