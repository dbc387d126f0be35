//! What a folder holds: a run, a sweep, a replay of schedules, a simulation.

use std::collections::BTreeMap;
use std::path::Path;

use burnrec_record::{ReplaySummary, SUMMARY, Values};
use serde::Deserialize;
use serde_json::Value;

use crate::error::ReportError;
use crate::run::{Run, json, lines, tell_apart};

/// A folder that was read.
#[derive(Clone, Debug)]
pub enum Folder {
    /// A model in training, or trained.
    Run(Box<Run>),
    /// Trials of settings.
    Sweep(Sweep),
    /// Ways to keep a model fresh, side by side.
    Replay(Replay),
    /// Agents side by side.
    Simulation(Simulation),
}

/// A sweep.
#[derive(Clone, Debug, Deserialize)]
pub struct Sweep {
    /// The folder's name.
    #[serde(skip)]
    pub name: String,
    /// What trials are ranked by.
    pub monitor: String,
    /// Whether it is better the larger.
    pub rises: bool,
    /// Two metrics that are weighed against each other.
    pub pareto: Option<[String; 2]>,
    /// The trials, the best first.
    pub trials: Vec<Trial>,
}

/// A trial of a sweep.
#[derive(Clone, Debug, Deserialize)]
pub struct Trial {
    /// Its number.
    pub trial: usize,
    /// Its settings.
    pub settings: BTreeMap<String, Value>,
    /// What it is ranked by.
    pub value: Option<Mean>,
    /// The metrics that were asked for.
    pub metrics: BTreeMap<String, Option<Mean>>,
    /// Whether no other beats it in both metrics.
    pub front: Option<bool>,
    /// Seconds of all its runs.
    pub seconds: f64,
    /// Why it failed.
    pub reason: Option<String>,
}

/// A mean over repeats.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Half the width of its interval.
    pub plus_minus: Option<f64>,
}

/// A replay.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The folder's name.
    pub name: String,
    /// What the ways came to.
    pub summary: ReplaySummary,
    /// Windows of all ways.
    pub windows: Vec<WindowOf>,
}

/// A window of a way.
#[derive(Clone, Debug, Deserialize)]
pub struct WindowOf {
    /// The way.
    pub schedule: String,
    /// The stretch of time.
    pub window: String,
    /// Metrics of the rows, predicted before they were learned from.
    pub metrics: Values,
}

/// A simulation.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// The folder's name.
    pub name: String,
    /// Its summary.
    pub summary: Agents,
    /// Hours of all agents and seeds.
    pub hours: Vec<Hour>,
}

/// The summary of a simulation.
#[derive(Clone, Debug, Deserialize)]
pub struct Agents {
    /// `completed` or `interrupted`.
    pub status: String,
    /// Whom others are compared with.
    pub baseline: String,
    /// The agents, in the order of the file.
    pub order: Vec<String>,
    /// What they came to.
    pub agents: BTreeMap<String, Agent>,
    /// Version of burnrec.
    pub version: String,
}

/// What an agent came to.
#[derive(Clone, Debug, Deserialize)]
pub struct Agent {
    /// Each measure.
    pub measures: BTreeMap<String, Spread>,
    /// What it has more than the baseline.
    pub differences: BTreeMap<String, Spread>,
}

/// A mean over seeds, and its interval.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The interval; none of one seed.
    pub interval: Option<(f64, f64)>,
}

/// An hour of an agent on a seed.
#[derive(Clone, Debug, Deserialize)]
pub struct Hour {
    /// The agent.
    pub agent: String,
    /// The hour, from 1.
    pub hour: f64,
    /// All measures, those above included.
    #[serde(flatten)]
    pub measures: BTreeMap<String, Value>,
}

impl Sweep {
    /// The settings that some trial has, by key.
    pub fn keys(&self) -> Vec<&String> {
        let mut keys: Vec<&String> = self.trials.iter().flat_map(|trial| trial.settings.keys()).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

impl Folder {
    /// Whether a path holds one, whatever is in it.
    pub fn is_in(path: &Path) -> bool {
        Run::is_in(path) || ["sweep.json", "hours.jsonl", "windows.jsonl"].iter().any(|name| path.join(name).is_file())
    }

    /// Reads a folder.
    ///
    /// # Errors
    /// Folders that hold none of these, and files that are damaged.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let name = whole.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        if let Some(sweep) = json::<Sweep>(&path.join("sweep.json"))? {
            return Ok(Self::Sweep(Sweep { name, ..sweep }));
        }
        let unfinished = || ReportError::Unfinished { path: path.to_path_buf() };
        if path.join("hours.jsonl").is_file() {
            let summary = json(&path.join(SUMMARY))?.ok_or_else(unfinished)?;
            return Ok(Self::Simulation(Simulation { name, summary, hours: lines(&path.join("hours.jsonl"))?.0 }));
        }
        if path.join("windows.jsonl").is_file() {
            let summary = json(&path.join(SUMMARY))?.ok_or_else(unfinished)?;
            return Ok(Self::Replay(Replay { name, summary, windows: lines(&path.join("windows.jsonl"))?.0 }));
        }
        Ok(Self::Run(Box::new(Run::read(path)?)))
    }

    /// Reads folders that are compared: runs, each of another name.
    ///
    /// # Errors
    /// Folders that cannot be read, and others than runs among several.
    pub fn read_all(paths: &[std::path::PathBuf]) -> Result<Vec<Self>, ReportError> {
        let mut all = paths.iter().map(|path| Self::read(path)).collect::<Result<Vec<_>, _>>()?;
        if let ([_, _, ..], Some(at)) = (all.as_slice(), all.iter().position(|folder| folder.as_run().is_none())) {
            let problem = "is not a run of one model, and only those can be compared; report it on its own".into();
            return Err(ReportError::NotARun { path: paths[at].clone(), problem });
        }
        let mut runs: Vec<Run> = all.iter().filter_map(Self::as_run).cloned().collect();
        tell_apart(&mut runs);
        let mut runs = runs.into_iter();
        for folder in all.iter_mut().filter(|folder| folder.as_run().is_some()) {
            if let Some(run) = runs.next() {
                *folder = Self::Run(Box::new(run));
            }
        }
        Ok(all)
    }

    /// The run, where it is one.
    pub fn as_run(&self) -> Option<&Run> {
        match self {
            Self::Run(run) => Some(run),
            _ => None,
        }
    }
}
