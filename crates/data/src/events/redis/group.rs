//! A consumer group: where it stands, and what is acknowledged.

use std::time::Duration;

use redis::{Client, Connection, FromRedisValue, RedisError, cmd};

use crate::error::DataError;
use crate::events::input::RedisStream;
use crate::events::line::Entry;

/// The consumer's name in its group.
pub(super) const CONSUMER: &str = "burnrec";
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

    /// Joins the group for the first time: makes it, at the beginning of the stream, where it is not there. Gives the entry behind
    /// which it stands.
    ///
    /// # Errors
    /// A stream that is not there, where it is not to be followed; a group that another job reads by.
    pub fn join(&mut self, follow: bool) -> Result<Entry, DataError> {
        let (key, group) = (self.stream.key.clone(), self.stream.group.clone());
        let there: bool = self.ask(cmd("EXISTS").arg(&key))?;
        if !there && !follow {
            return Err(
                self.wrong("there is no such stream; check --key, or --follow it until its first entry comes".into())
            );
        }
        if let Some(facts) = self.facts()? {
            if number(&facts, "consumers") > 0 {
                return Err(self.wrong(format!(
                    "its group `{group}` is read by another job, or was; give this one its own: --group NAME"
                )));
            }
            let last = facts.iter().find(|(name, _)| name == "last-delivered-id");
            let last = last.and_then(|(_, value)| String::from_redis_value_ref(value).ok());
            return last.unwrap_or_default().parse().map_err(|problem| self.wrong(problem));
        }
        let () = self.ask(cmd("XGROUP").arg("CREATE").arg(&key).arg(&group).arg("0").arg("MKSTREAM"))?;
        Ok(Entry::default())
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
                "there is no such stream any more; what was learned from it stands: start a job on another one, from this one's run"
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
        if let Some(gone) = entry("max-deleted-entry-id").filter(|gone| *gone > to) {
            tracing::warn!(
                "{}: entries up to {gone} were deleted or trimmed, and only those up to {to} were learned from; keep them longer",
                self.stream.name()
            );
        }
        match self.facts()? {
            None => self.ask::<()>(cmd("XGROUP").arg("CREATE").arg(&key).arg(&group).arg(to.to_string()))?,
            Some(_) => {
                let consumers: Vec<Facts> = self.ask(cmd("XINFO").arg("CONSUMERS").arg(&key).arg(&group))?;
                let names = consumers.iter().flatten().filter(|(name, _)| name == "name");
                let mut names = names.filter_map(|(_, value)| String::from_redis_value_ref(value).ok());
                if let Some(other) = names.find(|name| name != CONSUMER) {
                    return Err(self.wrong(format!(
                        "its group `{group}` is also read by `{other}`, and a group is of one job; give another --group, or remove that consumer"
                    )));
                }
                self.ask::<()>(cmd("XGROUP").arg("SETID").arg(&key).arg(&group).arg(to.to_string()))?;
            }
        }
        Ok(())
    }

    /// Acknowledges all entries up to one, itself with them.
    ///
    /// # Errors
    /// A server that does not answer, a group that is gone.
    pub fn acknowledge(&mut self, to: Entry) -> Result<(), DataError> {
        match self.acknowledge_here(to) {
            // The server may have been started anew meanwhile.
            Err(DataError::Server { .. }) => {
                *self = Self::open(&self.stream)?;
                self.acknowledge_here(to)
            }
            other => other,
        }
    }

    fn acknowledge_here(&mut self, to: Entry) -> Result<(), DataError> {
        let (key, group) = (self.stream.key.clone(), self.stream.group.clone());
        loop {
            let mut pending = cmd("XPENDING");
            pending.arg(&key).arg(&group).arg("-").arg(to.to_string()).arg(AT_ONCE).arg(CONSUMER);
            let some: Vec<(String, redis::Value, redis::Value, redis::Value)> = self.ask(&pending)?;
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
    error.is_io_error() || error.is_timeout() || error.is_connection_dropped() || error.code() == Some("LOADING")
}

fn number(facts: &Facts, name: &str) -> u64 {
    let found = facts.iter().find(|(known, _)| known == name);
    found.and_then(|(_, value)| u64::from_redis_value_ref(value).ok()).unwrap_or(0)
}
