//! Where agents act: who asks, for which candidates, and what they click.

pub mod bandit;
pub mod log;
pub mod news;

use arrow::array::RecordBatch;
use burnrec_data::Source;
use serde::{Deserialize, Serialize};

use crate::error::RlError;

/// Somebody asks for a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its number; no two have the same.
    pub id: u64,
    /// When, in seconds from the beginning.
    pub time: f64,
    /// Who.
    pub user: u64,
    /// The items that may be shown, each once.
    pub candidates: Vec<u64>,
}

/// What became of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feedback {
    /// The request.
    pub request: u64,
    /// When it is known, in seconds from the beginning.
    pub time: f64,
    /// Whether each place was clicked.
    pub clicks: Vec<bool>,
    /// How probable it was that a log has this list; none where no log had a choice.
    pub propensity: Option<f64>,
}

/// What happened that no agent sees, for figures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Sessions that ended.
    pub sessions: u64,
    /// Requests of them.
    pub depth: u64,
    /// Returns after a session.
    pub returns: u64,
    /// Hours that they were away, in all.
    pub away_hours: f64,
    /// Shown items in their first hour.
    pub first_hour_shown: u64,
    /// Clicks on them.
    pub first_hour_clicks: u64,
}

/// An environment. Times only go forward.
pub trait Environment {
    /// The requests up to a time, in their order.
    ///
    /// # Errors
    /// A clock that runs backwards, rows that cannot be read.
    fn requests(&mut self, until: f64) -> Result<Vec<Request>, RlError>;

    /// One row a candidate, request after request, with every column that features may read.
    ///
    /// # Errors
    /// Requests of another time.
    fn rows(&mut self, requests: &[Request]) -> Result<RecordBatch, RlError>;

    /// What the rows are of, for errors and times.
    fn source(&self) -> &dyn Source;

    /// Shows candidates, by their places in the request, the first place first.
    ///
    /// # Errors
    /// Slates that name what is no candidate, or one twice; requests that were not made, or were answered.
    fn show(&mut self, request: u64, slate: &[usize]) -> Result<(), RlError>;

    /// The feedback that arrives up to a time: late, in the order of its arrival, and not all of it.
    fn feedback(&mut self, until: f64) -> Vec<Feedback>;

    /// The cosine of what two items are about.
    fn similarity(&self, a: u64, b: u64) -> f64;

    /// What a policy that knows everything would go by, one number a candidate: how probable a click is, and what it is worth
    /// beyond itself. None where nobody knows.
    fn truth(&self, request: &Request) -> Option<Vec<(f64, f64)>>;

    /// Whether each candidate would be clicked, where that is known without showing it: of logs, of the places that they had.
    /// None of candidates that were not shown; nothing where no log says anything.
    fn labels(&self, _request: &Request) -> Vec<Option<bool>> {
        Vec::new()
    }

    /// What a log shows of a request: a row for each candidate whose label is known, in their order. None where no log says
    /// anything.
    fn logged(&self, _request: &Request) -> Option<RecordBatch> {
        None
    }

    /// What happened since the last time that this was asked.
    fn tally(&mut self) -> Tally;

    /// What looks as if it were meant otherwise, in words.
    fn doubts(&self) -> Vec<String> {
        Vec::new()
    }

    /// When it ends, in seconds from the beginning.
    fn end(&self) -> f64;

    /// All that must be saved to go on from here.
    ///
    /// # Errors
    /// None that a user could mend.
    fn save(&self) -> Result<Vec<u8>, RlError>;

    /// Goes on from what was saved.
    ///
    /// # Errors
    /// What is no such state.
    fn restore(&mut self, bytes: &[u8]) -> Result<(), RlError>;
}

/// Refuses a slate that cannot be shown.
pub(crate) fn check_slate(request: u64, candidates: usize, slate: &[usize]) -> Result<(), RlError> {
    let bad = |problem: String| Err(RlError::Slate { request, problem });
    let mut seen = vec![false; candidates];
    for place in slate {
        match seen.get_mut(*place) {
            None => return bad(format!("names candidate {place}, and there are {candidates}")),
            Some(true) => return bad(format!("names candidate {place} twice")),
            Some(seen) => *seen = true,
        }
    }
    Ok(())
}

/// Refuses a clock that runs backwards.
pub(crate) fn check_clock(before: f64, now: f64) -> Result<(), RlError> {
    match now >= before {
        true => Ok(()),
        false => Err(RlError::Clock { now, before }),
    }
}
