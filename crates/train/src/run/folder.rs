//! The run folder: configuration, events, summary, checkpoints.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use burnrec_record::{EVENTS, Event, SUMMARY, Summary, TaskMetrics};

use super::files::{TEMPORARY, write_whole};
use crate::error::{TrainError, bad};
use crate::experiment::Experiment;

/// The format of run folders; a folder of another format is refused.
pub(crate) const FORMAT: u32 = 2;
const CONFIG: &str = "config.toml";
const LOCK: &str = ".lock";
/// The run that finds how many epochs are best, within the run that is trained so.
const SEARCH: &str = "search";
const FIRST_LINE: &str = "# burnrec run format ";

/// A run folder.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    events: File,
}

impl RunFolder {
    /// Makes a new run folder. One that holds a run is refused.
    ///
    /// # Errors
    /// [`TrainError::FolderExists`], and folders that cannot be written.
    pub fn create(path: &Path, experiment: &Experiment) -> Result<Self, TrainError> {
        Self::check_free(path)?;
        fs::create_dir_all(path).map_err(TrainError::io(path))?;
        write_whole(&path.join(CONFIG), config_text(experiment)?.as_bytes())?;
        Self::with_events(path)
    }

    /// Refuses to go on with another configuration; where it computes may change.
    ///
    /// # Errors
    /// Folders of another version or configuration.
    pub fn check_same(path: &Path, experiment: &Experiment) -> Result<(), TrainError> {
        let found = Self::config(path)?;
        let found = spelled_out(&found);
        let asked = Experiment { backend: found.backend.clone(), ..spelled_out(experiment) };
        if found == asked {
            return Ok(());
        }
        let (a, b) = (config_text(&found)?, config_text(&asked)?);
        let gone = a.lines().find(|line| !b.lines().any(|l| l == *line));
        let new = b.lines().find(|line| !a.lines().any(|l| l == *line));
        let difference = match (gone, new) {
            (Some(gone), Some(new)) => format!("it had `{gone}`, now `{new}`"),
            (Some(gone), None) => format!("it had `{gone}`"),
            (None, new) => format!("it did not have `{}`", new.unwrap_or("the settings in this order")),
        };
        Err(TrainError::OtherConfig { path: path.to_path_buf(), difference })
    }

    /// Opens a run folder to go on with. Events after `step`, and of epochs that were not complete then, are forgotten.
    ///
    /// # Errors
    /// Folders that cannot be written.
    pub fn resume(path: &Path, step: u64, epochs: usize) -> Result<Self, TrainError> {
        let events = path.join(EVENTS);
        let text = fs::read_to_string(&events).unwrap_or_default();
        let keep = |line: &&str| {
            let Some(event) = Event::read(line) else { return false };
            // The test is made anew at the end, and the validation of an epoch that ended after the checkpoint.
            event.step <= step && event.phase != "test" && !(event.split == "valid" && event.epoch > epochs)
        };
        let kept: String = text.lines().filter(keep).map(|l| format!("{l}\n")).collect();
        write_whole(&events, kept.as_bytes())?;
        // What it came to is of before.
        match fs::remove_file(path.join(SUMMARY)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(TrainError::io(&path.join(SUMMARY))(e)),
            _ => Self::with_events(path),
        }
    }

    /// Refuses a folder that holds a run, or anything else.
    ///
    /// # Errors
    /// [`TrainError::FolderExists`], and [`TrainError::FolderNotEmpty`] for a folder of other things.
    pub fn check_free(path: &Path) -> Result<(), TrainError> {
        if Self::is_started(path) {
            return Err(TrainError::FolderExists { path: path.to_path_buf() });
        }
        let is_rest = |name: &str| name.starts_with(TEMPORARY) || name == LOCK || name == SEARCH;
        match fs::read_dir(path) {
            Ok(entries) => match entries.flatten().find(|e| !is_rest(&e.file_name().to_string_lossy())) {
                Some(entry) => Err(TrainError::FolderNotEmpty {
                    path: path.to_path_buf(),
                    holds: entry.file_name().to_string_lossy().into_owned(),
                }),
                None => Ok(()),
            },
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(TrainError::io(path)(e)),
        }
    }

    /// Holds a run folder for this process; the system lets go of it however the process ends.
    ///
    /// # Errors
    /// [`TrainError::FolderInUse`] where another process holds it.
    pub(crate) fn lock(path: &Path) -> Result<File, TrainError> {
        let file = path.join(LOCK);
        let lock = OpenOptions::new().create(true).append(true).open(&file).map_err(TrainError::io(&file))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(fs::TryLockError::WouldBlock) => Err(TrainError::FolderInUse { path: path.to_path_buf() }),
            Err(fs::TryLockError::Error(e)) => Err(TrainError::io(&file)(e)),
        }
    }

    /// Whether a run was started here.
    pub fn is_started(path: &Path) -> bool {
        path.join(CONFIG).is_file()
    }

    /// Where the run stands that finds how many epochs are best.
    pub(crate) fn search(path: &Path) -> PathBuf {
        path.join(SEARCH)
    }

    /// Whether a run was started here, or the search before it.
    pub fn is_begun(path: &Path) -> bool {
        Self::is_started(path) || Self::is_started(&Self::search(path))
    }

    /// The summary of a run that came to its end.
    pub(crate) fn ended(path: &Path) -> Option<Summary> {
        let text = fs::read_to_string(path.join(SUMMARY)).ok()?;
        serde_json::from_str(&text).ok().filter(|summary: &Summary| summary.status != "interrupted")
    }

    /// Whether a run came to its end there.
    pub fn is_complete(path: &Path) -> bool {
        Self::ended(path).is_some()
    }

    fn with_events(path: &Path) -> Result<Self, TrainError> {
        let events = path.join(EVENTS);
        let file = OpenOptions::new().create(true).append(true).open(&events).map_err(TrainError::io(&events))?;
        Ok(Self { path: path.to_path_buf(), events: file })
    }

    /// The configuration of the run at `path`.
    ///
    /// # Errors
    /// Folders that hold no run, and runs of another version.
    pub fn config(path: &Path) -> Result<Experiment, TrainError> {
        let file = path.join(CONFIG);
        let not_a_run = |problem: &str| TrainError::NotARun { path: path.to_path_buf(), problem: problem.to_string() };
        if !path.exists() {
            return Err(not_a_run("it does not exist"));
        }
        let unfinished = Self::is_started(&Self::search(path));
        let text = fs::read_to_string(&file).map_err(|_| match unfinished {
            true => {
                not_a_run("the search for the best epoch has not ended (train.refit); continue it with train --resume")
            }
            false => not_a_run("it has no config.toml"),
        })?;
        let first = text.lines().next().unwrap_or("");
        let found = first.strip_prefix(FIRST_LINE).and_then(|n| n.trim().parse().ok());
        let found = found.ok_or_else(|| not_a_run("its config.toml does not start with the run format"))?;
        if found != FORMAT {
            return Err(TrainError::Version { path: path.to_path_buf(), found, expected: FORMAT });
        }
        toml::from_str(&text).map_err(|e| not_a_run(&format!("its config.toml cannot be read: {}", e.message())))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Adds a line to the events.
    ///
    /// # Errors
    /// A full disk.
    pub fn event(
        &mut self,
        phase: &str,
        epoch: usize,
        step: u64,
        split: &str,
        metrics: &TaskMetrics,
    ) -> Result<(), TrainError> {
        let line = Event::now(phase, epoch, step, split, metrics).line();
        self.events.write_all(format!("{line}\n").as_bytes()).map_err(TrainError::io(&self.path.join(EVENTS)))
    }

    /// Writes the outcome, whole or not at all.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn finish(&self, summary: &Summary) -> Result<(), TrainError> {
        write_whole(&self.path.join(SUMMARY), summary.text().as_bytes())
    }
}

/// A configuration with what its fields mean where they say nothing.
fn spelled_out(experiment: &Experiment) -> Experiment {
    Experiment { features: experiment.features.spelled_out(), ..experiment.clone() }
}

fn config_text(experiment: &Experiment) -> Result<String, TrainError> {
    let text = toml::to_string(&spelled_out(experiment)).map_err(|e| bad("config", e.to_string()))?;
    Ok(format!("{FIRST_LINE}{FORMAT}\n{text}"))
}
