//! Lines of standard input, and of files that may grow.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::line::{LONGEST, Line, Place};
use super::reading::{AHEAD, HANDED, Reading};
use crate::error::DataError;
use crate::formats::other_than_lines;

/// How often a file that is followed is looked at.
const POLL: Duration = Duration::from_millis(20);
/// Bytes that are kept of a line that is too long.
pub(super) const KEPT: usize = 1 << 10;

/// Opens standard input (`-`) or a file, behind a place up to which it was read before: a file is not read up to there,
/// standard input is, since it begins anew. A file that is followed has no end.
///
/// # Errors
/// A file that is not there, or is shorter than what was read of it.
pub(super) fn open(path: &Path, follow: bool, place: Place) -> Result<Reading, DataError> {
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
    Ok(Reading { receiver, endless })
}

/// Refuses a file whose first bytes are not those of lines of JSON. An empty one, and one that is no plain file, may become some.
///
/// # Errors
/// As said, and a file that cannot be read.
pub fn check_lines(path: &Path) -> Result<(), DataError> {
    let io = |e| DataError::io(path, e);
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Ok(());
    }
    let mut first = Vec::new();
    File::open(path).map_err(io)?.take(8).read_to_end(&mut first).map_err(io)?;
    other_than_lines(&first).map_or(Ok(()), |found| Err(not_lines(path, found)))
}

fn not_lines(path: &Path, found: &str) -> DataError {
    let problem = format!(
        "is {found}, by its first bytes, and events are read as they come, as lines of JSON in UTF-8; unpack or convert it on the way: `zcat FILE | burnrec online … --input -`"
    );
    DataError::Stream { name: path.display().to_string(), problem }
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
        // A file that is gone on with was looked at when it was begun.
        let first = if self.at.0 == 0 { self.reader.fill_buf() } else { Ok(&[][..]) };
        if let Some(found) = first.ok().and_then(other_than_lines) {
            return drop(to.send(Err(not_lines(&self.path, found))));
        }
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
