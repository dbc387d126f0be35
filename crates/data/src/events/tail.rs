//! Lines of a stream that may not have ended, from the thread that reads it.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::input::Input;
use super::line::{Line, Place};
use super::reading::Reading;
use super::{file, redis};
use crate::error::DataError;

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
        let reading = match input {
            Input::File(path) => file::open(path, follow, place)?,
            Input::Redis(stream) => redis::open(stream, follow, place)?,
        };
        let Reading { receiver, endless } = reading;
        Ok(Self { receiver, waiting: VecDeque::new(), ended: false, endless })
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::path::Path;

    use super::*;
    use crate::events::file::KEPT;
    use crate::events::line::LONGEST;

    fn opened(path: &Path, follow: bool, place: Place) -> Result<Tail, DataError> {
        Tail::open(&Input::File(path.to_path_buf()), follow, place)
    }

    const LONG: Duration = Duration::from_secs(5);

    #[test]
    fn lines_are_given_with_their_places_and_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.jsonl");
        std::fs::write(&path, "a\nbb\r\n\nccc").unwrap();
        let mut tail = opened(&path, false, Place { bytes: 0, lines: 0, ..Place::default() }).unwrap();
        let lines = tail.next(2, LONG).unwrap();
        assert_eq!(lines.iter().map(|l| (l.number, l.start, l.end)).collect::<Vec<_>>(), [(1, 0, 2), (2, 2, 6)]);
        assert_eq!(lines[1].text, b"bb");
        let last = tail.next(9, LONG).unwrap();
        assert_eq!((last.len(), last[0].number, last[0].end), (1, 4, 10));
        assert!(tail.next(9, LONG).unwrap().is_empty() && tail.is_over());
        let mut again = opened(&path, false, Place { bytes: 6, lines: 2, ..Place::default() }).unwrap();
        assert_eq!(again.next(9, LONG).unwrap(), last);
        assert!(opened(&path, false, Place { bytes: 11, lines: 5, ..Place::default() }).is_err());
    }

    #[test]
    fn a_line_without_end_is_passed_over_and_the_next_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.jsonl");
        let long = "x".repeat(LONGEST as usize + 5_000_000);
        std::fs::write(&path, format!("a\n{long}\nb\n")).unwrap();
        let mut tail = opened(&path, false, Place { bytes: 0, lines: 0, ..Place::default() }).unwrap();
        let lines = tail.next(9, LONG).unwrap();
        assert_eq!(lines.iter().map(|l| l.is_cut).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!((lines[1].text.len(), lines[1].end, &lines[2].text[..]), (KEPT, long.len() as u64 + 3, &b"b"[..]));
        assert_eq!(lines[2].start, lines[1].end);
    }

    #[test]
    fn a_file_that_is_cut_or_replaced_is_followed_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.jsonl");
        for replace in [false, true] {
            std::fs::write(&path, "one\ntwo\n").unwrap();
            let mut tail = opened(&path, true, Place { bytes: 0, lines: 0, ..Place::default() }).unwrap();
            assert_eq!(tail.next(2, LONG).unwrap().len(), 2);
            if replace {
                std::fs::rename(&path, folder.path().join("old")).unwrap();
            }
            std::fs::write(&path, "1\n").unwrap();
            let error = (0..100).find_map(|_| tail.next(1, Duration::from_millis(50)).err()).unwrap().to_string();
            assert!(error.contains(if replace { "another file" } else { "was cut" }), "{error}");
        }
        assert!(opened(folder.path(), false, Place { bytes: 0, lines: 0, ..Place::default() }).is_err());
    }

    #[test]
    fn a_file_that_is_followed_gives_whole_lines_as_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.jsonl");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        let mut tail = opened(&path, true, Place { bytes: 0, lines: 0, ..Place::default() }).unwrap();
        assert_eq!(tail.next(1, LONG).unwrap()[0].text, b"one");
        assert!(tail.next(1, Duration::from_millis(60)).unwrap().is_empty() && !tail.is_over());
        file.write_all(b"o\nthree\n").unwrap();
        let lines = tail.next(2, LONG).unwrap();
        assert_eq!((&lines[0].text[..], lines[1].number), (&b"two"[..], 3));
    }
}
