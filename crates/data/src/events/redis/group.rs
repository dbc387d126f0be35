//! A consumer group: where it stands, and what is acknowledged.

use std::time::Duration;

use redis::{Client, Connection, FromRedisValue, RedisError, cmd};

use crate::error::DataError;
use crate::events::input::RedisStream;
use crate::events::line::{Entry, Place};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Entries that are acknowledged at a time.
const AT_ONCE: usize = 4096;

/// A connection to the group of a job.
pub struct Group {
    pub(super) stream: RedisStream,
    connection: Connection,
}

/// Names and values as Redis lists facts.
type Facts = Vec<(String, redis::Value)>;

impl Group {
    /// Connects to the server.
    ///
    /// # Errors
    /// An address that is none, a server that does not answer.
    pub fn open(stream: &RedisStream) -> Result<Self, DataError> {
        let wrong = |problem: String| DataError::Stream { name: stream.name(), problem };
        if stream.url.starts_with("rediss:") {
            return Err(wrong(
                "connections under TLS are not supported; give redis://, or a tunnel's end on this machine".into(),
            ));
        }
        let client = Client::open(stream.url.as_str()).map_err(|e| {
            wrong(format!("is no address ({e}); give redis://HOST:PORT/DATABASE, or redis+unix:///SOCKET"))
        })?;
        let connection = client.get_connection_with_timeout(PATIENCE).and_then(|connection| {
            connection.set_read_timeout(Some(PATIENCE))?;
            connection.set_write_timeout(Some(PATIENCE))?;
            Ok(connection)
        });
        let connection = connection.map_err(|e| DataError::Server {
            name: stream.name(),
            problem: format!("cannot be connected to ({e}); check the address and that the server runs"),
        })?;
        Ok(Self { stream: stream.clone(), connection })
    }

    /// Refuses a stream that is not there, where it is not to be followed, and a group that another job reads by.
    ///
    /// # Errors
    /// As said.
    pub fn check(&mut self, follow: bool) -> Result<(), DataError> {
        let there: bool = self.ask(cmd("EXISTS").arg(&self.stream.key))?;
        if !there && !follow {
            return Err(
                self.wrong("there is no such stream; check --key, or --follow it until its first entry comes".into())
            );
        }
        match self.facts()?.is_some_and(|facts| number(&facts, "consumers") > 0) {
            true => Err(self.wrong(format!(
                "its group `{}` is read by another job, or was; give this one its own: --group NAME",
                self.stream.group
            ))),
            false => Ok(()),
        }
    }

    /// Joins the group for the first time: makes it, at the beginning of the stream, where it is not there. Gives the entry behind
    /// which it stands.
    ///
    /// # Errors
    /// As [`Group::check`].
    pub fn join(&mut self, follow: bool) -> Result<Entry, DataError> {
        self.check(follow)?;
        let (key, group) = (self.stream.key.clone(), self.stream.group.clone());
        if let Some(facts) = self.facts()? {
            let last = facts.iter().find(|(name, _)| name == "last-delivered-id");
            let last = last.and_then(|(_, value)| String::from_redis_value_ref(value).ok());
            return last.unwrap_or_default().parse().map_err(|problem| self.wrong(problem));
        }
        match self.send::<()>(cmd("XGROUP").arg("CREATE").arg(&key).arg(&group).arg("0").arg("MKSTREAM")) {
            Err(error) if error.code() == Some("BUSYGROUP") => Err(self.wrong(format!(
                "its group `{group}` is just being joined by another job; give this one its own: --group NAME"
            ))),
            other => other.map(|()| Entry::default()).map_err(|error| self.told(&error)),
        }
    }

    /// Sets the group behind an entry; what was delivered of what follows comes again.
    ///
    /// # Errors
    /// A stream that is another one, a group that others read by.
    pub(super) fn seek(&mut self, to: Entry) -> Result<(), DataError> {
        let (key, group) = (self.stream.key.clone(), self.stream.group.clone());
        let there: bool = self.ask(cmd("EXISTS").arg(&key))?;
        if !there {
            return Err(self.wrong(
                "there is no such stream any more; what the last checkpoint learned from it stands: start a job on another one, from this one's run"
                    .into(),
            ));
        }
        let facts: Facts = self.ask(cmd("XINFO").arg("STREAM").arg(&key))?;
        let entry = |name: &str| -> Option<Entry> {
            let (_, value) = facts.iter().find(|(known, _)| known == name)?;
            String::from_redis_value_ref(value).ok()?.parse().ok()
        };
        if entry("last-generated-id").is_some_and(|last| last < to) {
            return Err(self.wrong(format!(
                "is another stream: {to} was learned from, and it ends before; start a job on it, from this one's run"
            )));
        }
        let there = self.facts()?.is_some();
        if there {
            // Nothing is changed before it is known that no other job reads. Earlier processes of this one are gone, and what they
            // were given comes again.
            for other in self.others()? {
                if !self.is_own(&other) {
                    return Err(self.shared(&other));
                }
                let _: u64 = self.ask(cmd("XGROUP").arg("DELCONSUMER").arg(&key).arg(&group).arg(&other))?;
            }
        }
        let set = if there { "SETID" } else { "CREATE" };
        let () = self.ask(cmd("XGROUP").arg(set).arg(&key).arg(&group).arg(to.to_string()))?;
        // Before Redis 6.2 a consumer is made by its first reading.
        let own = self.stream.consumer.clone();
        drop(self.send::<u64>(cmd("XGROUP").arg("CREATECONSUMER").arg(&key).arg(&group).arg(&own)));
        // Another job may have joined at the same moment: this one leaves no trace that would keep either from coming back.
        match self.others()?.into_iter().find(|other| !self.is_own(other)) {
            Some(other) => {
                let _: u64 = self.ask(cmd("XGROUP").arg("DELCONSUMER").arg(&key).arg(&group).arg(&own))?;
                Err(self.shared(&other))
            }
            None => Ok(()),
        }
    }

    /// Refuses a group that others read by: each gets a part of the entries, and what was read here has holes.
    ///
    /// # Errors
    /// A server that does not answer, another reader.
    pub fn check_alone(&mut self) -> Result<(), DataError> {
        let others = match self.others() {
            Err(DataError::Server { .. }) => {
                *self = Self::open(&self.stream)?;
                self.others()?
            }
            other => other?,
        };
        match others.first() {
            Some(other) => Err(self.shared(other)),
            None => Ok(()),
        }
    }

    /// The other consumers of the group.
    fn others(&mut self) -> Result<Vec<String>, DataError> {
        let (key, group) = (self.stream.key.clone(), self.stream.group.clone());
        let consumers: Vec<Facts> = match self.send(cmd("XINFO").arg("CONSUMERS").arg(&key).arg(&group)) {
            // A group that was removed has none.
            Err(error) if is_gone(&error) => return Ok(Vec::new()),
            other => other.map_err(|error| self.told(&error))?,
        };
        let names = consumers.iter().flatten().filter(|(name, _)| name == "name");
        let names = names.filter_map(|(_, value)| String::from_redis_value_ref(value).ok());
        Ok(names.filter(|name| *name != self.stream.consumer).collect())
    }

    /// Whether a consumer is an earlier process of the same job.
    fn is_own(&self, other: &str) -> bool {
        let job = self.stream.consumer.rsplit_once('-').map_or("", |(job, _)| job);
        !job.is_empty() && other.rsplit_once('-').is_some_and(|(other, _)| other == job)
    }

    fn shared(&self, other: &str) -> DataError {
        self.wrong(format!(
            "its group `{}` is also read by `{other}`, and a group is of one job; stop one of them and go on with --resume, give another --group, or remove that consumer",
            self.stream.group
        ))
    }

    /// Acknowledges all entries up to a place.
    ///
    /// # Errors
    /// A server that does not answer. A group that is gone has nothing to acknowledge.
    pub fn acknowledge(&mut self, to: Place) -> Result<(), DataError> {
        match self.acknowledge_here(to) {
            // The server may have been started anew meanwhile.
            Err(DataError::Server { .. }) => {
                *self = Self::open(&self.stream)?;
                self.acknowledge_here(to)
            }
            other => other,
        }
    }

    fn acknowledge_here(&mut self, to: Place) -> Result<(), DataError> {
        let (key, group) = (self.stream.key.clone(), self.stream.group.clone());
        loop {
            let mut pending = cmd("XPENDING");
            pending.arg(&key).arg(&group).arg("-").arg(to.entry.to_string()).arg(AT_ONCE).arg(&self.stream.consumer);
            let some: Vec<(String, redis::Value, redis::Value, redis::Value)> = match self.send(&pending) {
                Err(error) if is_gone(&error) => return Ok(()),
                other => other.map_err(|error| self.told(&error))?,
            };
            if some.is_empty() {
                return Ok(());
            }
            let mut done = cmd("XACK");
            done.arg(&key).arg(&group);
            for (name, ..) in &some {
                done.arg(name);
            }
            let _: u64 = self.ask(&done)?;
        }
    }

    /// Entries that the server counts as trimmed or deleted, and the first one that is left; none where it does not count, or the job
    /// began behind the stream's beginning.
    pub(super) fn trimmed(&mut self) -> Result<Option<(u64, Entry)>, DataError> {
        let facts: Facts = self.ask(cmd("XINFO").arg("STREAM").arg(&self.stream.key))?;
        let value = |name: &str| facts.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let first = value("first-entry").and_then(|v| <(String, redis::Value)>::from_redis_value_ref(v).ok());
        let first = first.and_then(|(first, _)| first.parse().ok()).filter(|_| self.stream.from == Entry::default());
        let gone = number(&facts, "entries-added").saturating_sub(number(&facts, "length"));
        Ok(first.filter(|_| value("entries-added").is_some()).map(|first| (gone, first)))
    }

    /// The group as the server lists it.
    fn facts(&mut self) -> Result<Option<Facts>, DataError> {
        let there: bool = self.ask(cmd("EXISTS").arg(&self.stream.key))?;
        if !there {
            return Ok(None);
        }
        let all: Vec<Facts> = self.ask(cmd("XINFO").arg("GROUPS").arg(&self.stream.key))?;
        let own = |facts: &Facts| {
            let name = facts.iter().find(|(name, _)| name == "name");
            name.and_then(|(_, value)| String::from_redis_value_ref(value).ok()).as_deref() == Some(&*self.stream.group)
        };
        Ok(all.into_iter().find(own))
    }

    /// Sends a command.
    pub(super) fn ask<T: FromRedisValue>(&mut self, command: &redis::Cmd) -> Result<T, DataError> {
        self.send(command).map_err(|error| self.told(&error))
    }

    pub(super) fn send<T: FromRedisValue>(&mut self, command: &redis::Cmd) -> Result<T, RedisError> {
        command.query(&mut self.connection)
    }

    /// An error as it is told.
    pub(super) fn told(&self, error: &RedisError) -> DataError {
        let name = self.stream.name();
        match is_passing(error) {
            true => DataError::Server {
                name,
                problem: format!("the server does not answer any more ({error}); go on with --resume when it does"),
            },
            false => DataError::Stream { name, problem: format!("the server refused: {error}") },
        }
    }

    fn wrong(&self, problem: String) -> DataError {
        DataError::Stream { name: self.stream.name(), problem }
    }
}

/// Whether an error is of the connection, or of a server that is starting, and may pass.
pub(super) fn is_passing(error: &RedisError) -> bool {
    let busy = ["LOADING", "READONLY", "MISCONF", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "BUSY", "NOREPLICAS", "OOM"];
    let own = error.is_io_error() || error.is_timeout() || error.is_connection_dropped();
    own || error.code().is_some_and(|code| busy.contains(&code))
}

/// Whether a group, or its stream, is not there any more.
pub(super) fn is_gone(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOGROUP" | "UNBLOCKED"))
}

fn number(facts: &Facts, name: &str) -> u64 {
    let found = facts.iter().find(|(known, _)| known == name);
    found.and_then(|(_, value)| u64::from_redis_value_ref(value).ok()).unwrap_or(0)
}
