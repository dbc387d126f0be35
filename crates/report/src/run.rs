//! A run folder, as it is read: configuration, events, and what was found at the end.

use std::path::{Path, PathBuf};

use burnrec_record::{DETAILS, Details, EVENTS, Entry, Event, LEDGER, MetricDraws, SUMMARY, Summary, TaskDetails};
use serde::de::DeserializeOwned;

use crate::error::ReportError;

/// A run of one model.
#[derive(Clone, Debug)]
pub struct Run {
    /// The folder.
    pub path: PathBuf,
    /// What it is called beside others.
    pub name: String,
    /// The text of its configuration.
    pub config: String,
    /// What happened, in its order.
    pub events: Vec<Event>,
    /// Lines of the events that could not be read.
    pub lost: usize,
    /// The phases of its schedule, where it is kept fresh by one.
    pub phases: Vec<Entry>,
    /// What it came to; none while it runs.
    pub summary: Option<Summary>,
    /// What was found at its end; none of runs that were told not to look.
    pub details: Option<Details>,
}

/// Reads a JSON file; none where it is not there.
pub(crate) fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ReportError> {
    let damaged = |problem: String| ReportError::Damaged { path: path.to_path_buf(), problem };
    match std::fs::read(path) {
        Ok(bytes) => {
            let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
            if !value.is_object() {
                return Err(damaged("is no object of JSON".into()));
            }
            serde_json::from_value(value).map(Some).map_err(|e| damaged(e.to_string()))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(damaged(e.to_string())),
    }
}

/// Reads a file of JSON lines, empty where it is not there, and counts the lines that say nothing; a last line that is being
/// written is left out.
pub(crate) fn lines<T: DeserializeOwned>(path: &Path) -> Result<(Vec<T>, usize), ReportError> {
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(e) => return Err(ReportError::Damaged { path: path.to_path_buf(), problem: e.to_string() }),
    };
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let lines = || text[..whole].lines().filter(|line| !line.trim().is_empty());
    let read: Vec<T> = lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let lost = lines().count() - read.len();
    Ok((read, lost))
}

/// Whether a process holds a run folder, as one that trains does.
pub fn is_held(path: &Path) -> bool {
    let lock = std::fs::File::open(path.join(".lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

impl Run {
    /// Whether a folder holds a run.
    pub fn is_in(path: &Path) -> bool {
        let any = || [EVENTS, SUMMARY, LEDGER].iter().any(|name| path.join(name).is_file());
        path.join("config.toml").is_file() && any()
    }

    /// Reads a folder.
    ///
    /// # Errors
    /// Folders without a run, and files that are damaged.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let missing = |problem: &str| ReportError::NotARun { path: path.to_path_buf(), problem: problem.into() };
        if !path.is_dir() {
            return Err(missing("is no folder"));
        }
        let config = std::fs::read_to_string(path.join("config.toml")).map_err(|_| missing("holds no config.toml"))?;
        let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let last = |path: &Path| path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let name = match whole.parent().map(last).filter(|above| !above.is_empty() && above != "runs") {
            Some(above) => format!("{above}/{}", last(&whole)),
            None => last(&whole),
        };
        let (events, lost) = lines(&path.join(EVENTS))?;
        let (phases, more) = lines(&path.join(LEDGER))?;
        Ok(Self {
            path: path.to_path_buf(),
            name,
            config,
            events,
            lost: lost + more,
            phases,
            summary: json(&path.join(SUMMARY))?,
            details: json(&path.join(DETAILS))?,
        })
    }

    /// The model: what it came to says it, else the config.
    pub fn model(&self) -> Option<String> {
        let of_config = || {
            let config: toml::Table = self.config.parse().ok()?;
            Some(config.get("model")?.as_table()?.keys().next()?.clone())
        };
        self.summary.as_ref().map(|summary| summary.model.clone()).or_else(of_config)
    }

    /// What it is, where it has no outcome: a run may go on, a job on a stream ends where that does.
    pub fn status(&self) -> &str {
        match &self.summary {
            Some(summary) => &summary.status,
            None if self.is_online() => "online",
            None => "running",
        }
    }

    /// Whether it learns from a stream.
    pub fn is_online(&self) -> bool {
        self.events.iter().any(|event| event.phase == "online")
    }

    /// The tasks, where the run has told them.
    pub fn tasks(&self) -> Vec<String> {
        self.summary.as_ref().map_or_else(Vec::new, |summary| summary.tasks.clone())
    }

    /// The metrics of the last side that was looked at, by name: those of the test, else of validation, else of the latest window.
    pub fn final_metrics(&self) -> Vec<(String, Option<f64>)> {
        // A run that a schedule keeps fresh is judged by its latest window.
        let judged = self.phases.iter().rev().find_map(|phase| phase.judged.as_ref());
        let metrics = self.summary.as_ref().map(|summary| &summary.metrics);
        let side = metrics.and_then(|metrics| ["test", "valid"].iter().find_map(|side| metrics.get(*side)));
        side.or(judged).map_or_else(Vec::new, burnrec_record::Values::flat)
    }

    /// The draws of a metric as [`Self::final_metrics`] names it.
    pub fn draws(&self, metric: &str) -> Option<&MetricDraws> {
        self.task_draws(metric).map(|(_, draws)| draws)
    }

    /// The same with the task that they are of.
    pub(crate) fn task_draws(&self, metric: &str) -> Option<(&TaskDetails, &MetricDraws)> {
        let details = self.details.as_ref()?;
        let several = details.tasks.len() > 1;
        details.tasks.iter().find_map(|task| {
            let own = |draws: &&MetricDraws| match several {
                true => {
                    metric.strip_prefix(task.task.as_str()).and_then(|m| m.strip_prefix('.')) == Some(&draws.metric)
                }
                false => draws.metric == metric,
            };
            Some((task, task.draws.iter().find(own)?))
        })
    }
}

/// Makes names differ where two runs have the same.
pub(crate) fn tell_apart(runs: &mut [Run]) {
    for at in 1..runs.len() {
        let taken = |name: &str, runs: &[Run]| runs[..at].iter().any(|other| other.name == name);
        if taken(&runs[at].name, runs) {
            let other = (2..).map(|n| format!("{} ({n})", runs[at].name)).find(|name| !taken(name, runs));
            runs[at].name = other.unwrap_or_default();
        }
    }
}
