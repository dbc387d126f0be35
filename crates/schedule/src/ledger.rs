//! The ledger of a schedule: a line of JSON a phase that is done, with what it read and what it made. Lines are only added, and
//! are on disk before the next phase begins.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use burnrec_data::windows::Stretch;
use burnrec_record::{Entry, LEDGER, Read};
use burnrec_train::TrainError;

/// What stands beside it: the window of the phase that is running.
const OPEN: &str = "open.json";

/// A window as it was read.
pub(crate) fn as_read(window: &Stretch) -> Read {
    let sum = format!("{:016x}", window.sum);
    Read { from: window.from, to: window.to, rows: window.rows, sum }
}

/// The window that was read.
pub(crate) fn stretch(read: &Read) -> Stretch {
    Stretch { from: read.from, to: read.to, rows: read.rows, sum: u64::from_str_radix(&read.sum, 16).unwrap_or(0) }
}

/// The phases that are done.
pub struct Ledger {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
}

impl Ledger {
    /// Opens a run's ledger. A last line that was not written whole is forgotten.
    ///
    /// # Errors
    /// A line that is none of a ledger's, lines out of order, a folder that cannot be written.
    pub fn open(run: &Path) -> Result<Self, TrainError> {
        let path = run.join(LEDGER);
        let at = path.clone();
        let io = TrainError::io(&at);
        let text = match std::fs::read_to_string(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
            text => text.unwrap_or_default(),
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let mut entries: Vec<Entry> = Vec::new();
        for (number, line) in whole.lines().enumerate() {
            let broken = |problem: String| TrainError::Checkpoint {
                path: path.clone(),
                problem: format!("line {}: {problem}", number + 1),
            };
            let entry: Entry =
                serde_json::from_str(line).map_err(|e| broken(format!("is no line of a ledger ({e})")))?;
            if entry.phase != number {
                return Err(broken(format!("is of phase {}, where {number} follows", entry.phase)));
            }
            entries.push(entry);
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(&io)?;
        file.set_len(whole.len() as u64).map_err(&io)?;
        drop(file);
        let file = OpenOptions::new().append(true).open(&path).map_err(&io)?;
        Ok(Self { path, file, entries })
    }

    /// What is done.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Adds a phase; it is on disk then.
    ///
    /// # Errors
    /// A full disk.
    pub fn add(&mut self, entry: Entry) -> Result<(), TrainError> {
        let line = serde_json::to_string(&entry).unwrap_or_default() + "\n";
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(TrainError::io(&self.path))?;
        self.entries.push(entry);
        Ok(())
    }

    /// Refuses to go on in another way than before.
    ///
    /// # Errors
    /// The way of before, where the ledger has phases behind the first stretch.
    pub fn check_way(&self, way: &str) -> Result<(), TrainError> {
        match self.entries.iter().skip(1).find(|entry| entry.way != way) {
            Some(entry) => Err(TrainError::Setting {
                key: "--by".into(),
                problem: format!(
                    "{way}: the job in {} goes by {}; give another folder",
                    self.path.display(),
                    entry.way
                ),
            }),
            None => Ok(()),
        }
    }

    /// That a phase was done and its line is gone.
    pub fn lacks(&self, phase: usize) -> TrainError {
        TrainError::Checkpoint {
            path: self.path.clone(),
            problem: format!("lacks the line of phase {phase}, which the checkpoint has behind it"),
        }
    }

    /// Notes the window of a phase that begins. One that was begun before must go on over the rows that it began with.
    ///
    /// # Errors
    /// [`TrainError::OtherData`], and folders that cannot be written.
    pub fn begin(&self, phase: usize, window: Option<&Stretch>, within: bool) -> Result<(), TrainError> {
        let path = self.path.with_file_name(OPEN);
        let now = serde_json::to_string(&(phase, window.map(as_read))).unwrap_or_default();
        match std::fs::read_to_string(&path) {
            Ok(before) if within && before != now && before.starts_with(&format!("[{phase},")) => {
                let difference = format!(
                    "the rows of phase {phase} are others than those that it learned from before it was stopped"
                );
                Err(TrainError::OtherData { path: self.path.clone(), difference })
            }
            _ => burnrec_train::write_whole(&path, now.as_bytes()),
        }
    }

    /// Refuses to go on where a phase that is done read other rows than its window has now.
    ///
    /// # Errors
    /// [`TrainError::OtherData`] naming the window.
    pub fn check(&self, phase: usize, window: Option<&Stretch>) -> Result<(), TrainError> {
        let Some(entry) = self.entries.get(phase) else { return Ok(()) };
        let now = window.map(as_read);
        if entry.window == now {
            return Ok(());
        }
        let text = |read: &Option<Read>| match read {
            Some(read) => format!("{} rows of {}", read.rows, crate::log::stretch_text(read.from, read.to)),
            None => "the first stretch".to_string(),
        };
        let mut difference =
            format!("phase {phase} of the ledger read {}, now it has {}", text(&entry.window), text(&now));
        if matches!((&entry.window, &now), (Some(was), Some(is)) if (was.rows, was.from) == (is.rows, is.from)) {
            difference += " with other values";
        }
        Err(TrainError::OtherData { path: self.path.clone(), difference })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(phase: usize) -> Entry {
        let window = Some(Read { from: 0, to: 10, rows: 3, sum: "00".into() });
        Entry {
            phase,
            way: "incremental".into(),
            what: "round".into(),
            window,
            step: 4,
            rows_learned: 9,
            judged: None,
            gate: None,
            seconds: 0.5,
            made: "ab".into(),
        }
    }

    #[test]
    fn lines_are_read_back_in_order_and_half_a_line_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(folder.path()).unwrap();
        ledger.add(entry(0)).unwrap();
        ledger.add(entry(1)).unwrap();
        let path = folder.path().join(LEDGER);
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{{\"phase\":2,\"wh")).unwrap();
        let mut again = Ledger::open(folder.path()).unwrap();
        assert_eq!(again.entries(), [entry(0), entry(1)]);
        again.add(entry(2)).unwrap();
        assert_eq!(Ledger::open(folder.path()).unwrap().entries().len(), 3);
        let same = Stretch { from: 0, to: 10, rows: 3, sum: 0 };
        let error = again.check(1, Some(&Stretch { rows: 4, ..same })).unwrap_err().to_string();
        assert!(error.contains("3 rows") && error.contains("4 rows"), "{error}");
        assert!(again.check(7, Some(&same)).is_ok());
        std::fs::write(&path, whole.lines().nth(1).unwrap().to_string() + "\n").unwrap();
        assert!(Ledger::open(folder.path()).is_err());
    }
}
