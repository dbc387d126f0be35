//! Entries of a stream of Redis, each once in effect: the weights know the last entry that they learned from, and a job sets its
//! group back to it, so that what was delivered and not learned from comes again.

mod group;
mod read;

use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

pub use group::Group;

use super::input::RedisStream;
use super::line::Place;
use super::reading::{AHEAD, Reading};
use crate::error::DataError;

/// Opens a stream behind an entry. One that is followed has no end.
pub(super) fn open(stream: &RedisStream, follow: bool, place: Place) -> Result<Reading, DataError> {
    let mut group = Group::open(stream)?;
    group.seek(place.entry)?;
    group.acknowledge(place)?;
    let (sender, receiver) = sync_channel(AHEAD);
    let reader =
        read::Reader { group, place, follow, at_once: read::AT_FIRST, ended: false, lost: 0, looked: Instant::now() };
    thread::spawn(move || reader.run(&sender));
    Ok(Reading { receiver, endless: follow })
}
