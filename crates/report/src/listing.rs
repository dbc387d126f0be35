//! Run folders below a place, with their figures.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::ReportError;
use crate::folder::Folder;
use crate::run::{Run, is_held};

/// Folders within folders that are looked through.
const DEPTH: usize = 4;

/// A run folder in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// The folder.
    pub path: PathBuf,
    /// `run`, `sweep`, `replay`, `simulation`, or `damaged`.
    pub kind: &'static str,
    /// `completed`, `stopped_early`, `interrupted`; without a summary `running` where a process holds the folder, else `stopped`; what
    /// is wrong with a damaged one.
    pub status: String,
    /// The model, where there is one.
    pub model: Option<String>,
    /// Seconds since 1970 when it began, where that is known.
    pub began: Option<f64>,
    /// Seconds that it took.
    pub seconds: Option<f64>,
    /// Rows a second in training.
    pub rows_per_second: Option<f64>,
    /// Metrics of the test side, else of validation.
    pub metrics: Vec<(String, Option<f64>)>,
    /// The text of its configuration, to filter by.
    #[serde(skip)]
    pub config: String,
}

/// Every run folder below a place, by path. Runs that are part of another folder's (trials, ways, searches) are not listed.
pub fn list(place: &Path) -> Vec<Listed> {
    let mut found = Vec::new();
    walk(place, DEPTH, &mut found);
    found
}

fn walk(path: &Path, depth: usize, found: &mut Vec<Listed>) {
    if Folder::is_in(path) {
        found.push(one(path));
        return;
    }
    let Ok(entries) = std::fs::read_dir(path) else { return };
    // Links are not followed: they may lead in circles.
    let is_folder = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut below: Vec<PathBuf> = entries.flatten().filter(is_folder).map(|entry| entry.path()).collect();
    below.sort();
    if depth > 0 {
        below.iter().for_each(|path| walk(path, depth - 1, found));
    }
}

/// What a folder without an outcome is: held by who trains, or left.
fn going(path: &Path) -> &'static str {
    if is_held(path) { "running" } else { "stopped" }
}

/// What a run without an outcome is: a job on a stream ends where its stream does.
fn state(path: &Path, run: &Run) -> &'static str {
    match going(path) {
        "stopped" if run.is_online() => "online, ended",
        "running" if run.is_online() => "online",
        other => other,
    }
}

fn one(path: &Path) -> Listed {
    let known = |kind, status: &str| Listed {
        path: path.to_path_buf(),
        kind,
        status: status.into(),
        model: None,
        began: None,
        seconds: None,
        rows_per_second: None,
        metrics: Vec::new(),
        config: String::new(),
    };
    match Folder::read(path) {
        Err(ReportError::Unfinished { .. }) => {
            known(if path.join("hours.jsonl").is_file() { "simulation" } else { "replay" }, going(path))
        }
        Err(error) => known("damaged", &error.to_string()),
        Ok(Folder::Sweep(sweep)) => {
            let best = sweep.trials.first().and_then(|trial| Some((sweep.monitor.clone(), Some(trial.value?.mean))));
            let seconds = Some(sweep.trials.iter().map(|trial| trial.seconds).sum::<f64>() + 0.0);
            Listed {
                seconds,
                metrics: best.into_iter().collect(),
                ..known("sweep", &format!("{} trials", sweep.trials.len()))
            }
        }
        Ok(Folder::Replay(replay)) => {
            Listed { model: Some(replay.summary.model), ..known("replay", &replay.summary.status) }
        }
        Ok(Folder::Simulation(simulation)) => known("simulation", &simulation.summary.status),
        Ok(Folder::Run(run)) => Listed {
            model: run.model(),
            began: run.events.first().map(|event| event.time),
            seconds: run.summary.as_ref().map(|s| s.seconds.values().sum()),
            rows_per_second: run.summary.as_ref().map(|s| s.throughput.rows_per_second),
            metrics: run.final_metrics(),
            config: run.config.clone(),
            ..known("run", run.summary.as_ref().map_or(state(path, &run), |s| &s.status))
        },
    }
}

impl Listed {
    /// A metric by its name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(own, _)| own == name).and_then(|(_, value)| *value)
    }
}
