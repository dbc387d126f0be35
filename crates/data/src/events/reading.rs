//! What the thread that reads a stream hands over.

use std::sync::mpsc::Receiver;

use super::line::Line;
use crate::error::DataError;

/// Lots of lines that are read ahead.
pub(super) const AHEAD: usize = 64;
/// Lines that are handed over at a time, at most.
pub(super) const HANDED: usize = 512;

/// A stream that is being read.
pub(super) struct Reading {
    /// Lots of lines, in their order; closed at the stream's end.
    pub(super) receiver: Receiver<Result<Vec<Line>, DataError>>,
    /// Whether lines may come late.
    pub(super) endless: bool,
}
