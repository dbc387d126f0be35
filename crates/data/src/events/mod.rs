//! Events as they come: lines of JSON from standard input or from a file that grows, with the place behind each, so that a job
//! can go on where it stopped.

mod rows;
mod tail;

pub use rows::{Events, Parsed, Rejected};
pub use tail::{Line, Tail};
