//! What was tried: a line a run, written and synced when it ended.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use burnrec_record::Values;
use serde::{Deserialize, Serialize};

use super::space::Point;
use crate::error::{TrainError, bad};
use crate::experiment::{SweepConfig, SweepMethod, SweepRange};

/// A run of a trial that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// The trial, from 1.
    pub trial: usize,
    /// The rung of halving, from 0.
    pub rung: usize,
    /// Which of its repeats, from 0.
    pub repeat: usize,
    /// Its point.
    pub at: Point,
    /// The settings, by key.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// Its folder, below that of the sweep.
    pub run: String,
    /// What it is ranked by, on the validation rows; none where that is undefined, or the run failed.
    pub value: Option<f64>,
    /// Metrics by side, each by its task, of a single task as well.
    pub metrics: BTreeMap<String, Values>,
    /// Seconds that it took.
    pub seconds: f64,
    /// Why it failed; none where it did not.
    pub reason: Option<String>,
}

/// What a sweep's ledger is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    /// A hash of the experiment, its sweep included.
    sweep: String,
}

/// A ledger on disk.
pub struct Ledger {
    path: PathBuf,
    file: File,
    /// The runs that ended, in their order.
    pub tried: Vec<Tried>,
}

/// The name of the file.
const LEDGER: &str = "sweep.jsonl";

impl Ledger {
    /// Whether a folder has one.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(LEDGER).exists()
    }

    /// Opens that of a folder, or begins one; `experiment` is the text of the whole experiment.
    ///
    /// # Errors
    /// A ledger of another experiment, lines that say nothing, files that cannot be read or written.
    pub fn open(folder: &Path, experiment: &str, sweep: &SweepConfig) -> Result<Self, TrainError> {
        let path = folder.join(LEDGER);
        let header = Header { sweep: format!("{:016x}", xxhash_rust::xxh3::xxh3_64(experiment.as_bytes())) };
        std::fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
        let file =
            OpenOptions::new().create(true).append(true).read(true).open(&path).map_err(TrainError::io(&path))?;
        if file.try_lock().is_err() {
            return Err(bad(
                "sweep",
                format!("another burnrec sweeps into {}; wait for it, or take another --out", folder.display()),
            ));
        }
        let bytes = std::fs::read(&path).map_err(TrainError::io(&path))?;
        let text = String::from_utf8(bytes).map_err(|_| damaged(&path, 1, "is not valid UTF-8"))?;
        // A line without its end was being written when the process was killed.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut lines = text[..whole].lines();
        let mut tried = Vec::new();
        let begun = lines.next();
        if let Some(first) = begun {
            let known: Header = serde_json::from_str(first).map_err(|e| damaged(&path, 1, &e.to_string()))?;
            if known != header {
                let problem =
                    "holds a sweep of another experiment or space; take another --out, or the config as it was";
                return Err(bad("sweep", format!("{} {problem}", folder.display())));
            }
            for (number, line) in lines.enumerate() {
                let own: Tried = serde_json::from_str(line).map_err(|e| damaged(&path, number + 2, &e.to_string()))?;
                sound(&own, sweep, &tried).map_err(|problem| damaged(&path, number + 2, problem))?;
                tried.push(own);
            }
        }
        file.set_len(whole as u64).map_err(TrainError::io(&path))?;
        let mut ledger = Self { path, file, tried };
        if begun.is_none() {
            ledger.write(&header)?;
        }
        Ok(ledger)
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), TrainError> {
        let mut text = serde_json::to_string(line).map_err(|e| bad("sweep", e.to_string()))?;
        text.push('\n');
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(TrainError::io(&self.path))
    }

    /// Adds a run that ended.
    ///
    /// # Errors
    /// A disk that did not take it.
    pub fn add(&mut self, tried: Tried) -> Result<(), TrainError> {
        self.write(&tried)?;
        self.tried.push(tried);
        Ok(())
    }
}

/// What a line of a ledger must be to be believed.
fn sound(own: &Tried, sweep: &SweepConfig, before: &[Tried]) -> Result<(), &'static str> {
    let same = |other: &Tried| (other.trial, other.rung, other.repeat) == (own.trial, own.rung, own.repeat);
    let at = |(range, at): (&SweepRange, &f64)| match range.places() {
        Some(places) => *at >= 0.0 && at.fract() == 0.0 && (*at as usize) < places,
        None => (0.0..=1.0).contains(at),
    };
    match () {
        () if !(1..=sweep.count()).contains(&own.trial) || own.repeat >= sweep.repeats => Err("is of no trial"),
        () if own.rung > 64 || (own.rung > 0 && sweep.method != SweepMethod::Halving) => Err("is of no rung"),
        () if before.iter().any(|other| other.trial == own.trial && other.at != own.at) => {
            Err("is at another point than the runs of its trial")
        }
        () if own.at.len() != sweep.space.len() || !sweep.space.values().zip(&own.at).all(at) => {
            Err("is at no point of the space")
        }
        () if before.iter().any(same) => Err("is there twice"),
        () => Ok(()),
    }
}

fn damaged(path: &Path, line: usize, problem: &str) -> TrainError {
    bad("sweep", format!("{}, line {line}: {problem}; the ledger is damaged", path.display()))
}
