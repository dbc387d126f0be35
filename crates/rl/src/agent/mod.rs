//! Agents: what chooses lists, hears what became of them, and learns.

mod config;
mod learn;
mod linear;
mod minor;
mod network;
mod push;
mod save;
mod score;
mod simple;
#[cfg(test)]
mod tests;

use arrow::array::RecordBatch;
use burnrec_data::Source;
use serde::{Deserialize, Serialize};

pub use config::{AgentConfig, ExploreConfig, ExploreKind, LearnConfig, MajorKind, MinorKind, PolicyKind};
pub use linear::Linear;
pub use network::Network;
pub(crate) use save::{from_bytes, opened, sealed, to_bytes};
pub(crate) use simple::shuffled;
pub use simple::{Plain, Popularity};

use crate::environment::{Feedback, Request};
use crate::error::RlError;

/// Requests of a moment, with what is known of their candidates.
pub struct Asked<'a> {
    /// Now, in seconds.
    pub now: f64,
    /// Places of a list.
    pub places: usize,
    /// The requests.
    pub requests: &'a [Request],
    /// One row a candidate, request after request.
    pub rows: &'a RecordBatch,
    /// What the rows are of.
    pub source: &'a dyn Source,
    /// What an oracle knows, one entry a request; empty where nobody does.
    pub truth: &'a [Vec<(f64, f64)>],
}

/// What was made of feedback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Lists whose feedback was taken in.
    pub taken: u64,
    /// Feedback of lists that this agent never pushed, or forgot.
    pub unknown: u64,
    /// Feedback that came once more.
    pub twice: u64,
    /// Feedback that came too late.
    pub late: u64,
    /// Feedback of another number of places than were shown.
    pub malformed: u64,
}

/// What chooses lists.
pub trait Policy {
    /// The list of each request: candidates by their places in it, the first place first. Shorter than asked for where there
    /// are fewer candidates.
    ///
    /// # Errors
    /// Requests without candidates, or with one twice; clocks that run backwards.
    fn push(&mut self, asked: &Asked<'_>) -> Result<Vec<Vec<usize>>, RlError>;

    /// Takes in what became of lists, in whatever order it arrives.
    ///
    /// # Errors
    /// Failures of learning.
    fn hear(&mut self, feedback: &[Feedback]) -> Result<(), RlError>;

    /// Lets the time come at which something is due.
    ///
    /// # Errors
    /// Failures of learning; clocks that run backwards.
    fn tick(&mut self, now: f64) -> Result<(), RlError>;

    /// What was made of all feedback so far.
    fn heard(&self) -> Heard;

    /// Saves all that it needs to go on, with something beside it, as one.
    ///
    /// # Errors
    /// Failures of the disk.
    fn save(&mut self, beside: Vec<u8>) -> Result<(), RlError>;
}

/// Refuses requests that cannot be answered.
pub(crate) fn check_requests(requests: &[Request]) -> Result<(), RlError> {
    for request in requests {
        let bad = |problem: String| Err(RlError::Request { request: request.id, user: request.user, problem });
        let mut sorted = request.candidates.clone();
        sorted.sort_unstable();
        if sorted.is_empty() {
            return bad("has no candidates; there is nothing to show".into());
        }
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return bad(format!("has candidate {} twice; each may be shown once", pair[0]));
        }
    }
    Ok(())
}

/// Candidates by their scores, the best first; of equal ones the first.
pub(crate) fn ranked(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order
}
