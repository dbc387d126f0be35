//! Lines of standard input, and of files that may grow.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::line::{LONGEST, Line, Place};
use super::tail::{AHEAD, HANDED, Tail};
use crate::error::DataError;

/// How often a file that is followed is looked at.
const POLL: Duration = Duration::from_millis(20);
/// Bytes that are kept of a line that is too long.
const KEPT: usize = 1 << 10;

/// Opens standard input (`-`) or a file, behind a place up to which it was read before: a file is not read up to there,
/// standard input is, since it begins anew. A file that is followed has no end.
///
/// # Errors
/// A file that is not there, or is shorter than what was read of it.
pub(super) fn open(path: &Path, follow: bool, place: Place) -> Result<Tail, DataError> {
    let (bytes, lines) = (place.bytes, place.lines);
    let (sender, receiver) = sync_channel(AHEAD);
    let own = path.to_path_buf();
    let facts = match path == Path::new("-") {
        true => None,
        false => Some(std::fs::metadata(path).map_err(|e| DataError::io(path, e))?),
    };
    if facts.as_ref().is_some_and(std::fs::Metadata::is_dir) {
        return Err(DataError::IsFolder { path: own, expected: "file of JSON lines" });
    }
    // What is no plain file has no places to go back to: it begins anew, and ends when its writer does.
    let plain = facts.as_ref().is_some_and(std::fs::Metadata::is_file);
    let length = facts.as_ref().map_or(0, std::fs::Metadata::len);
    if plain && length < bytes {
        return Err(DataError::Line {
            path: own,
            line: lines,
            problem: format!(
                "the file has {length} bytes, and {bytes} of it were learned from; give the file that was read before, or start a new job"
            ),
        });
    }
    let at = if plain { (bytes, lines) } else { (0, 0) };
    let (follow, endless) = (follow && plain, follow || !plain);
    let name = own.clone();
    thread::spawn(move || {
        // A pipe opens when somebody writes to it: that is waited for here.
        let input: Result<Box<dyn Read + Send>, std::io::Error> = match name == Path::new("-") {
            true => Ok(Box::new(std::io::stdin())),
            false => File::open(&name).and_then(|mut file| {
                if plain {
                    file.seek(SeekFrom::Start(bytes))?;
                }
                Ok(Box::new(file) as Box<dyn Read + Send>)
            }),
        };
        match input {
            Ok(input) => {
                let reader = BufReader::with_capacity(1 << 18, input);
                let inode = facts.filter(|_| plain).map(|facts| facts.ino());
                Reader { reader, path: name, at, past: bytes, follow, inode }.run(&sender);
            }
            Err(e) => drop(sender.send(Err(DataError::io(&name, e)))),
        }
    });
    Ok(Tail::new(receiver, endless))
}

struct Reader {
    reader: BufReader<Box<dyn Read + Send>>,
    path: PathBuf,
    /// Bytes and lines that were read.
    at: (u64, u64),
    /// Lines that end at this place or before were given in an earlier run.
    past: u64,
    follow: bool,
    /// The file that the path named when it was opened.
    inode: Option<u64>,
}

impl Reader {
    fn run(mut self, to: &SyncSender<Result<Vec<Line>, DataError>>) {
        let (mut lines, mut text, mut cut) = (Vec::new(), Vec::new(), 0u64);
        loop {
            let before = text.len() as u64 + cut;
            let read = (&mut self.reader).take(LONGEST + 1 - text.len() as u64).read_until(b'\n', &mut text);
            let whole = text.last() == Some(&b'\n');
            let failed =
                read.map_err(|e| DataError::io(&self.path, e)).and_then(|n| if n == 0 { self.check() } else { Ok(()) });
            if let Err(error) = failed {
                drop(to.send(Ok(lines)));
                drop(to.send(Err(error)));
                return;
            }
            let ended = text.len() as u64 + cut == before;
            // The rest of a line that is too long is passed over.
            if text.len() as u64 > LONGEST || (cut > 0 && text.len() > KEPT) {
                cut += (text.len() - KEPT) as u64;
                text.truncate(KEPT);
            }
            // Half a line of a file that is followed waits for its other half; at an end it is a line.
            if whole || (ended && !self.follow && !text.is_empty()) {
                let start = self.at.0;
                self.at = (start + text.len() as u64 + cut, self.at.1 + 1);
                let line = std::mem::take(&mut text);
                // A mark of the encoding is none of the first event.
                let line = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| start == 0).unwrap_or(&line);
                let line = line.trim_ascii_end().to_vec();
                if self.at.0 > self.past && !line.is_empty() {
                    let (number, end, is_cut) = (self.at.1, self.at.0, cut > 0);
                    lines.push(Line { number, start, end, entry: None, text: line, is_cut });
                }
                cut = 0;
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

    /// Refuses to follow what is no longer the file that was opened.
    fn check(&self) -> Result<(), DataError> {
        let (Some(inode), true) = (self.inode, self.follow) else { return Ok(()) };
        let now = std::fs::metadata(&self.path).map_err(|e| DataError::io(&self.path, e))?;
        let problem = match () {
            () if now.ino() != inode => {
                "another file took the place of the one that is followed; start a job on it, from this one's run"
            }
            () if now.len() < self.at.0 => {
                "the file that is followed was cut; what was learned from it stands: start a job on what is there now, from this one's run"
            }
            () => return Ok(()),
        };
        Err(DataError::Line { path: self.path.clone(), line: self.at.1, problem: problem.into() })
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
        let mut tail = open(&path, false, Place { bytes: 0, lines: 0, ..Place::default() }).unwrap();
        let lines = tail.next(2, LONG).unwrap();
        assert_eq!(lines.iter().map(|l| (l.number, l.start, l.end)).collect::<Vec<_>>(), [(1, 0, 2), (2, 2, 6)]);
        assert_eq!(lines[1].text, b"bb");
        let last = tail.next(9, LONG).unwrap();
        assert_eq!((last.len(), last[0].number, last[0].end), (1, 4, 10));
        assert!(tail.next(9, LONG).unwrap().is_empty() && tail.is_over());
        let mut again = open(&path, false, Place { bytes: 6, lines: 2, ..Place::default() }).unwrap();
        assert_eq!(again.next(9, LONG).unwrap(), last);
        assert!(open(&path, false, Place { bytes: 11, lines: 5, ..Place::default() }).is_err());
    }

    #[test]
    fn a_line_without_end_is_passed_over_and_the_next_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.jsonl");
        let long = "x".repeat(LONGEST as usize + 5_000_000);
        std::fs::write(&path, format!("a\n{long}\nb\n")).unwrap();
        let mut tail = open(&path, false, Place { bytes: 0, lines: 0, ..Place::default() }).unwrap();
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
            let mut tail = open(&path, true, Place { bytes: 0, lines: 0, ..Place::default() }).unwrap();
            assert_eq!(tail.next(2, LONG).unwrap().len(), 2);
            if replace {
                std::fs::rename(&path, folder.path().join("old")).unwrap();
            }
            std::fs::write(&path, "1\n").unwrap();
            let error = (0..100).find_map(|_| tail.next(1, Duration::from_millis(50)).err()).unwrap().to_string();
            assert!(error.contains(if replace { "another file" } else { "was cut" }), "{error}");
        }
        assert!(open(folder.path(), false, Place { bytes: 0, lines: 0, ..Place::default() }).is_err());
    }

    #[test]
    fn a_file_that_is_followed_gives_whole_lines_as_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.jsonl");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        let mut tail = open(&path, true, Place { bytes: 0, lines: 0, ..Place::default() }).unwrap();
        assert_eq!(tail.next(1, LONG).unwrap()[0].text, b"one");
        assert!(tail.next(1, Duration::from_millis(60)).unwrap().is_empty() && !tail.is_over());
        file.write_all(b"o\nthree\n").unwrap();
        let lines = tail.next(2, LONG).unwrap();
        assert_eq!((&lines[0].text[..], lines[1].number), (&b"two"[..], 3));
    }
}
