//! Lines of a stream that may not have ended.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::DataError;

/// Lines that are read ahead.
const AHEAD: usize = 64;
/// Lines that the reading thread hands over at a time, at most.
const HANDED: usize = 512;
/// How often a file that is followed is looked at.
const POLL: Duration = Duration::from_millis(20);
/// Bytes of a line, at most.
const LONGEST: u64 = 1 << 24;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the stream, from 1.
    pub number: u64,
    /// Its first byte's place in the stream.
    pub start: u64,
    /// The place behind it.
    pub end: u64,
    /// What it holds, without its end.
    pub text: Vec<u8>,
}

/// Lines in their order, read by a thread of their own.
pub struct Tail {
    receiver: Receiver<Result<Vec<Line>, DataError>>,
    waiting: std::collections::VecDeque<Line>,
    ended: bool,
    endless: bool,
    path: PathBuf,
}

impl Tail {
    /// Opens standard input (`-`) or a file, behind `(bytes, lines)` that were read before: a file is not read up to there,
    /// standard input is, since it begins anew. A file that is followed has no end.
    ///
    /// # Errors
    /// A file that is not there, or is shorter than what was read of it.
    pub fn open(path: &Path, follow: bool, (bytes, lines): (u64, u64)) -> Result<Self, DataError> {
        let (sender, receiver) = sync_channel(AHEAD);
        let own = path.to_path_buf();
        let input: Box<dyn Read + Send> = match path == Path::new("-") {
            true => Box::new(std::io::stdin()),
            false => {
                let mut file = File::open(path).map_err(|e| DataError::io(path, e))?;
                let length = file.metadata().map_err(|e| DataError::io(path, e))?.len();
                if length < bytes {
                    return Err(DataError::Line {
                        path: own,
                        line: lines,
                        problem: format!(
                            "the file has {length} bytes, and {bytes} of it were learned from; give the file that was read before, or start a new job"
                        ),
                    });
                }
                file.seek(SeekFrom::Start(bytes)).map_err(|e| DataError::io(path, e))?;
                Box::new(file)
            }
        };
        let stdin = path == Path::new("-");
        let at = if stdin { (0, 0) } else { (bytes, lines) };
        let reader =
            Reader { reader: BufReader::with_capacity(1 << 18, input), path: own.clone(), at, past: bytes, follow };
        thread::spawn(move || reader.run(&sender));
        Ok(Self { receiver, waiting: Default::default(), ended: false, endless: stdin || follow, path: own })
    }

    /// The stream, to name in errors.
    pub fn path(&self) -> &Path {
        &self.path
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

struct Reader {
    reader: BufReader<Box<dyn Read + Send>>,
    path: PathBuf,
    /// Bytes and lines that were read.
    at: (u64, u64),
    /// Lines that end at this place or before were given in an earlier run.
    past: u64,
    follow: bool,
}

impl Reader {
    fn run(mut self, to: &SyncSender<Result<Vec<Line>, DataError>>) {
        let mut lines = Vec::new();
        let mut text = Vec::new();
        loop {
            let before = text.len();
            let limit = LONGEST + 1 - before as u64;
            let read = (&mut self.reader).take(limit).read_until(b'\n', &mut text);
            let failed = match read {
                Ok(_) if text.len() as u64 > LONGEST => Some(DataError::Line {
                    path: self.path.clone(),
                    line: self.at.1 + 1,
                    problem: format!("is longer than {LONGEST} bytes, and no event"),
                }),
                Ok(_) => None,
                Err(e) => Some(DataError::io(&self.path, e)),
            };
            if let Some(error) = failed {
                drop(to.send(Ok(lines)));
                drop(to.send(Err(error)));
                return;
            }
            let (ended, whole) = (text.len() == before, text.last() == Some(&b'\n'));
            // Half a line of a file that is followed waits for its other half; at an end it is a line.
            if whole || (ended && !self.follow && !text.is_empty()) {
                let start = self.at.0;
                self.at = (start + text.len() as u64, self.at.1 + 1);
                let line = std::mem::take(&mut text);
                let line = line.trim_ascii_end().to_vec();
                if self.at.0 > self.past && !line.is_empty() {
                    lines.push(Line { number: self.at.1, start, end: self.at.0, text: line });
                }
            }
            let idle = ended || self.reader.buffer().is_empty();
            if (lines.len() >= HANDED || idle) && !lines.is_empty() && to.send(Ok(std::mem::take(&mut lines))).is_err()
            {
                return;
            }
            if ended && !self.follow {
                return;
            }
            if ended {
                thread::sleep(POLL);
                // Nobody may wait any more.
                if to.send(Ok(Vec::new())).is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LONG: Duration = Duration::from_secs(5);

    #[test]
    fn lines_are_given_with_their_places_and_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.jsonl");
        std::fs::write(&path, "a\nbb\r\n\nccc").unwrap();
        let mut tail = Tail::open(&path, false, (0, 0)).unwrap();
        let lines = tail.next(2, LONG).unwrap();
        assert_eq!(lines.iter().map(|l| (l.number, l.start, l.end)).collect::<Vec<_>>(), [(1, 0, 2), (2, 2, 6)]);
        assert_eq!(lines[1].text, b"bb");
        let last = tail.next(9, LONG).unwrap();
        assert_eq!((last.len(), last[0].number, last[0].end), (1, 4, 10));
        assert!(tail.next(9, LONG).unwrap().is_empty() && tail.is_over());
        let mut again = Tail::open(&path, false, (6, 2)).unwrap();
        assert_eq!(again.next(9, LONG).unwrap(), last);
        assert!(Tail::open(&path, false, (11, 5)).is_err());
    }

    #[test]
    fn a_file_that_is_followed_gives_whole_lines_as_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.jsonl");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        let mut tail = Tail::open(&path, true, (0, 0)).unwrap();
        assert_eq!(tail.next(1, LONG).unwrap()[0].text, b"one");
        assert!(tail.next(1, Duration::from_millis(60)).unwrap().is_empty() && !tail.is_over());
        file.write_all(b"o\nthree\n").unwrap();
        let lines = tail.next(2, LONG).unwrap();
        assert_eq!((&lines[0].text[..], lines[1].number), (&b"two"[..], 3));
    }
}
