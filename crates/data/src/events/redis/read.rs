//! The thread that reads a stream's entries as lines.

use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use redis::cmd;

use super::group::{Group, is_gone, is_passing};
use crate::error::DataError;
use crate::events::line::{Entry, LONGEST, Line, Place};
use crate::events::reading::HANDED;

/// Milliseconds that an answer may take to come, where no entry is there yet.
const BLOCK: usize = 200;
/// Entries that are asked for at first.
pub(super) const AT_FIRST: usize = 16;
/// Bytes that are asked for at once, about.
const BYTES: usize = 1 << 20;
/// How often a follower looks whether somebody else reads: where that one takes all entries, no checkpoint would.
const LOOK: Duration = Duration::from_secs(2);
/// How long a server may be gone.
const GONE: Duration = Duration::from_secs(60);

pub(super) struct Reader {
    pub(super) group: Group,
    /// What was handed over.
    pub(super) place: Place,
    pub(super) follow: bool,
    /// Entries that are asked for at once: so many that they are no more than [`BYTES`].
    pub(super) at_once: usize,
    /// Whether the last answer had no entry.
    pub(super) ended: bool,
    /// Entries that were told to be lost.
    pub(super) lost: u64,
    /// When it was last looked whether somebody else reads.
    pub(super) looked: Instant,
}

/// Fields and values of an entry.
type Fields = Vec<(Vec<u8>, Vec<u8>)>;
/// Entries by the key of their stream.
type Answer = Vec<(Vec<u8>, Vec<(String, Option<Fields>)>)>;

impl Reader {
    pub(super) fn run(mut self, to: &SyncSender<Result<Vec<Line>, DataError>>) {
        loop {
            let lines = self.read();
            // No line at all asks whether somebody still waits.
            let ended = lines.as_ref().map_or(true, |_| self.ended && !self.follow);
            if to.send(lines).is_err() || ended {
                return;
            }
        }
    }

    /// The next entries; none where none came.
    fn read(&mut self) -> Result<Vec<Line>, DataError> {
        if self.follow && self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            match self.group.check_alone() {
                // A server that is gone is waited for where entries are read.
                Err(DataError::Server { .. }) => {}
                other => other?,
            }
        }
        let stream = &self.group.stream;
        let mut ask = cmd("XREADGROUP");
        ask.arg("GROUP").arg(&stream.group).arg(&stream.consumer).arg("COUNT").arg(self.at_once);
        if self.follow {
            ask.arg("BLOCK").arg(BLOCK);
        }
        ask.arg("STREAMS").arg(&stream.key).arg(">");
        let since = Instant::now();
        let mut pause = Duration::from_millis(100);
        loop {
            match self.group.send::<Option<Answer>>(&ask) {
                Ok(answer) => return self.lines(answer.unwrap_or_default()),
                Err(error) if is_passing(&error) && since.elapsed() < GONE => {
                    tracing::warn!("{}: {error}; trying again", self.group.stream.name());
                    thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_secs(5));
                    self.again()?;
                }
                // The group may have been removed: it is made again where the weights stand.
                Err(error) if is_gone(&error) && since.elapsed() < GONE => self.again()?,
                Err(error) => return Err(self.group.told(&error)),
            }
        }
    }

    /// Connects anew, where the server lets it: what was delivered and did not arrive is asked for again.
    fn again(&mut self) -> Result<(), DataError> {
        let entry = self.place.entry;
        match Group::open(&self.group.stream).and_then(|mut group| group.seek(entry).map(|()| group)) {
            Ok(group) => self.group = group,
            Err(DataError::Server { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Tells of entries that were trimmed before they were read: those that the server no longer has, and that are not among the ones
    /// that were.
    fn tell_lost(&mut self, before: u64, lines: &[Line]) -> Result<(), DataError> {
        let Some(next) = lines.first().and_then(|line| line.entry) else { return Ok(()) };
        let trimmed = self.group.trimmed()?.filter(|(_, first)| *first >= next);
        let Some((gone, first)) = trimmed else { return Ok(()) };
        let read = before + lines.iter().filter(|line| line.entry.is_some_and(|entry| entry < first)).count() as u64;
        let lost = gone.saturating_sub(read);
        if lost > self.lost {
            tracing::warn!(
                "{}: {lost} entries were trimmed before they were read; keep them longer (MAXLEN, MINID)",
                self.group.stream.name()
            );
            self.lost = lost;
        }
        Ok(())
    }

    fn lines(&mut self, answer: Answer) -> Result<Vec<Line>, DataError> {
        let (mut lines, mut bytes, mut entries) = (Vec::new(), 0, 0);
        let before = self.place.lines;
        for (name, fields) in answer.into_iter().flat_map(|(_, entries)| entries) {
            let entry: Entry = name.parse().map_err(|problem| DataError::Stream {
                name: self.group.stream.name(),
                problem: format!("{problem}; the server is none of Redis 5 or later"),
            })?;
            let fields = fields.unwrap_or_default();
            bytes += fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
            entries += 1;
            // Whoever sets the group back must not make an entry count twice.
            if entry <= self.place.entry {
                continue;
            }
            self.place.lines += 1;
            self.place.entry = entry;
            let mut text = text_of(fields, self.group.stream.field.as_deref());
            let is_cut = text.len() as u64 > LONGEST;
            text.truncate(if is_cut { 1 << 10 } else { text.len() });
            lines.push(Line { number: self.place.lines, start: 0, end: 0, entry: Some(entry), text, is_cut });
        }
        self.tell_lost(before, &lines)?;
        self.ended = entries == 0;
        if entries > 0 {
            self.at_once = (BYTES * entries / bytes.max(1)).clamp(1, HANDED.min(2 * self.at_once));
        }
        Ok(lines)
    }
}

/// An entry as a line of JSON: one of its fields, or all of them by name.
fn text_of(mut fields: Fields, field: Option<&str>) -> Vec<u8> {
    if let Some(field) = field {
        let found = fields.into_iter().find(|(name, _)| name == field.as_bytes());
        return found.map_or_else(Vec::new, |(_, value)| value.trim_ascii().to_vec());
    }
    let mut text = vec![b'{'];
    fields.sort();
    for (name, value) in fields {
        if text.len() > 1 {
            text.push(b',');
        }
        quoted(&name, &mut text);
        text.push(b':');
        quoted(&value, &mut text);
    }
    text.push(b'}');
    text
}

/// Text as JSON has it. Bytes that are no text stay, so that the line is put aside for what it is.
fn quoted(bytes: &[u8], to: &mut Vec<u8>) {
    match std::str::from_utf8(bytes).map(serde_json::to_string) {
        Ok(Ok(text)) => to.extend(text.into_bytes()),
        _ => {
            to.push(b'"');
            to.extend(bytes);
            to.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_columns_or_one_of_them_is_the_line() {
        let fields = |all: &[(&str, &[u8])]| -> Fields {
            all.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())).collect()
        };
        let own = fields(&[("user", b"u\"1"), ("item", b"7")]);
        assert_eq!(text_of(own.clone(), None), br#"{"item":"7","user":"u\"1"}"#);
        assert_eq!(text_of(fields(&[("id", b"4"), ("event", b" {\"a\": 1}\n")]), Some("event")), br#"{"a": 1}"#);
        assert!(text_of(own, Some("event")).is_empty());
        assert!(std::str::from_utf8(&text_of(fields(&[("a", b"\xff")]), None)).is_err());
    }
}
