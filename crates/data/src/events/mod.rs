//! Events as they come: lines of JSON from standard input, from a file that grows, or entries of a stream of Redis, with the place
//! behind each, so that a job can go on where it stopped.

mod file;
mod input;
mod line;
mod reading;
mod redis;
mod rows;
mod tail;
mod waiting;

pub use file::check_lines;
pub use input::{Input, RedisStream};
pub use line::{Entry, Line, Place};
pub use redis::Group;
pub use rows::{Events, Parsed, Rejected};
pub use tail::Tail;
pub use waiting::{AHEAD, Held, LabelWait, Passed, Waiting, is_ahead_of_clock};
