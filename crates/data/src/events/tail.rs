//! Lines of a stream that may not have ended, from the thread that reads it.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::input::Input;
use super::line::{Line, Place};
use super::{file, redis};
use crate::error::DataError;

/// Lots of lines that are read ahead.
pub(super) const AHEAD: usize = 64;
/// Lines that the reading thread hands over at a time, at most.
pub(super) const HANDED: usize = 512;

/// Lines in their order, read by a thread of their own.
pub struct Tail {
    receiver: Receiver<Result<Vec<Line>, DataError>>,
    waiting: VecDeque<Line>,
    ended: bool,
    endless: bool,
}

impl Tail {
    /// Opens a stream behind a place up to which it was read before. One that is followed has no end.
    ///
    /// # Errors
    /// What is not there, or is not what was read before.
    pub fn open(input: &Input, follow: bool, place: Place) -> Result<Self, DataError> {
        match input {
            Input::File(path) => file::open(path, follow, place),
            Input::Redis(stream) => redis::open(stream, follow, place),
        }
    }

    pub(super) fn new(receiver: Receiver<Result<Vec<Line>, DataError>>, endless: bool) -> Self {
        Self { receiver, waiting: VecDeque::new(), ended: false, endless }
    }

    /// The next lines: so many, or fewer where no more came within `wait` of the first, or the stream ended. Empty at its end,
    /// or where nothing came within `wait`.
    ///
    /// # Errors
    /// A stream that cannot be read.
    pub fn next(&mut self, most: usize, wait: Duration) -> Result<Vec<Line>, DataError> {
        let until = Instant::now() + wait;
        while self.waiting.len() < most && !self.ended {
            match self.receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(lines) => self.waiting.extend(lines?),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => self.ended = true,
            }
        }
        Ok(self.waiting.drain(..most.min(self.waiting.len())).collect())
    }

    /// Whether lines may come late: of standard input, and of a file that is followed.
    pub fn is_endless(&self) -> bool {
        self.endless
    }

    /// Whether the stream has ended, and all of its lines were given.
    pub fn is_over(&self) -> bool {
        self.ended && self.waiting.is_empty()
    }
}
