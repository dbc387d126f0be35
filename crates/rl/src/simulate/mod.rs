//! Agents side by side in one environment.
//!
//! ```text
//! OUT/simulation.toml                  the file, as it is run
//! OUT/seed-1/start/log.parquet         what was shown by chance, for all agents to begin with
//! OUT/seed-1/start/MODEL/              a run that learned from it, one a model
//! OUT/seed-1/NAME/                     the agent: a run folder where it has a network, that predicts like any other
//! OUT/seed-1/NAME/hours.json           what it came to, hour by hour; written when it is done
//! OUT/hours.jsonl  OUT/summary.json    all of them
//! ```

mod act;
mod agents;
mod config;
mod measure;
mod report;
mod start;
mod weighed;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burnrec_backend::Opened;
use burnrec_data::DataConfig;
use burnrec_features::FieldConfig;
use burnrec_train::{Stop, TrainError, write_whole};

pub use config::{EnvironmentConfig, ORACLE, SimulateConfig, Simulation};
pub use measure::{Hour, Measures};
pub use report::{Compared, Outcome, Report, Spread};
pub use weighed::{Allows, Weighed};

use crate::agent::{AgentConfig, PolicyKind};
use crate::environment::Environment;
use crate::environment::bandit::Choices;
use crate::environment::log::{Form, Lists, LogReplay};
use crate::environment::news::News;
use crate::error::{RlError, bad};
use act::Act;

const FILE: &str = "simulation.toml";

/// A simulation to run.
pub struct Job {
    /// The file.
    pub simulation: Simulation,
    /// Where the log is, for `[environment.log]`.
    pub data: Option<(PathBuf, DataConfig)>,
    /// The device.
    pub opened: Opened,
    /// The folder.
    pub out: PathBuf,
    /// Whether what stands there is gone on with.
    pub resume: bool,
    /// A request to stop.
    pub stop: Stop,
}

/// What a simulation tells while it runs.
#[derive(Clone, Debug)]
pub enum Told<'a> {
    /// A stage begins.
    Stage(&'a str),
    /// An hour of an agent has passed.
    Hour {
        /// The agent.
        agent: &'a str,
        /// The seed.
        seed: u64,
        /// The hour, from 1.
        hour: usize,
        /// The share of the whole simulation that is done.
        done: f64,
        /// Its clicks and lists so far.
        clicks: u64,
        /// Lists so far.
        lists: u64,
    },
}

/// Runs a simulation; none where it was interrupted.
///
/// # Errors
/// Bad settings before anything is written; afterwards failures of learning and of the disk.
pub fn simulate(job: &Job, tell: &mut dyn FnMut(&Told<'_>)) -> Result<Report, RlError> {
    let agents = job.simulation.check()?;
    begin(job)?;
    let seeds: Vec<u64> = (0..job.simulation.simulate.seeds).map(|n| job.simulation.run.seed + n).collect();
    let mut all = agents.clone();
    let is_site = job.simulation.environment.news.is_some();
    if is_site && agents.iter().all(|(_, a)| a.policy != PolicyKind::Oracle) {
        all.push((ORACLE.into(), AgentConfig { policy: PolicyKind::Oracle, ..AgentConfig::default() }));
    }
    let (mut outcomes, mut interrupted) = (Vec::new(), false);
    let count = (seeds.len() * all.len()) as f64;
    let mut ahead = None;
    'seeds: for (number, seed) in seeds.iter().enumerate() {
        let folder = job.out.join(format!("seed-{seed}"));
        let first = if is_site { "lists by chance" } else { "what the log shows" };
        tell(&Told::Stage(&format!("seed {seed}: {first}, to begin with")));
        let Some(start) = start::start(job, *seed, &folder)? else {
            interrupted = true;
            break;
        };
        for (place, (name, config)) in all.iter().enumerate() {
            if config.policy == PolicyKind::Oracle && ahead.is_none() {
                tell(&Told::Stage("how far the oracle should look ahead"));
                ahead = best_ahead(job, &start, *seed)?;
                if ahead.is_none() {
                    interrupted = true;
                    break 'seeds;
                }
            }
            let done = (number * all.len() + place) as f64;
            let mut act =
                Act { job, seed: *seed, start: &start, name, config, ahead: ahead.unwrap_or(0.0), quiet: false };
            let told = &mut |hour: usize, of: usize, clicks, lists| {
                let done = (done + hour as f64 / of.max(1) as f64) / count;
                tell(&Told::Hour { agent: name, seed: *seed, hour, done, clicks, lists });
            };
            match act.run(&folder.join(name), told)? {
                Some(measures) => outcomes.push(Outcome { seed: *seed, agent: name.clone(), measures }),
                None => {
                    interrupted = true;
                    break 'seeds;
                }
            }
        }
    }
    let names: Vec<String> = all.into_iter().map(|(name, _)| name).collect();
    let baseline = job.simulation.simulate.baseline.clone().unwrap_or_else(|| names[0].clone());
    let report = Report::new(&outcomes, &names, &baseline, interrupted);
    write_whole(&job.out.join("hours.jsonl"), report::hours(&outcomes).as_bytes())?;
    write_whole(&job.out.join("summary.json"), report.text().as_bytes())?;
    Ok(report)
}

/// Refuses models that do not go with the features.
///
/// # Errors
/// The first setting that cannot work, with its key.
pub fn check(simulation: &Simulation) -> Result<(), RlError> {
    for (name, config) in simulation.check()? {
        start::experiment(simulation, &config, Path::new("log.parquet")).check().map_err(|e| match e {
            // What is wrong with a model is wrong where the agent names it.
            TrainError::Model(e) => bad(format!("agents.{name}.model"), e.to_string()),
            other => other.into(),
        })?;
    }
    let Some(columns) = known_columns(simulation) else { return Ok(()) };
    let schema = start::schema(simulation)?;
    let unknown = |column: &String| !columns.contains(&column.as_str());
    let named = schema.columns(false).into_iter().find(unknown);
    match named {
        Some(column) => {
            let fields = &simulation.features.fields;
            let reads = |(name, field): &(&String, &FieldConfig)| field.column.as_ref().unwrap_or(name) == &column;
            let field = fields.iter().find(reads).map_or(column.clone(), |(name, _)| name.clone());
            let problem =
                format!("reads column `{column}`, which the site does not have; it has {}", columns.join(", "));
            Err(bad(format!("features.fields.{field}"), problem))
        }
        None => Ok(()),
    }
}

/// The columns that an environment has, where that is known without its rows.
fn known_columns(simulation: &Simulation) -> Option<Vec<&'static str>> {
    simulation.environment.news.as_ref().map(|_| News::columns())
}

/// Makes the folder, or sees that it is of the same simulation.
fn begin(job: &Job) -> Result<(), RlError> {
    check(&job.simulation)?;
    let path = job.out.join(FILE);
    let text = toml::to_string(&job.simulation).map_err(|e| bad("simulation", e.to_string()))?;
    let exists = path.exists();
    if !job.resume && job.out.exists() && std::fs::read_dir(&job.out).is_ok_and(|mut entries| entries.next().is_some())
    {
        return Err(TrainError::FolderExists { path: job.out.clone() }.into());
    }
    if !exists && job.out.exists() && std::fs::read_dir(&job.out).is_ok_and(|mut entries| entries.next().is_some()) {
        let problem = format!("holds something, and no {FILE} that says what was simulated");
        return Err(RlError::State { path: job.out.display().to_string(), problem });
    }
    if exists {
        let old = std::fs::read_to_string(&path).map_err(TrainError::io(&path))?;
        let of = |text: &str| {
            toml::from_str::<Simulation>(text).ok().map(|s| Simulation { backend: Default::default(), ..s })
        };
        if of(&old) != of(&text) {
            let difference = "the file that it was begun with is another".to_string();
            return Err(TrainError::OtherConfig { path: job.out.clone(), difference }.into());
        }
        return Ok(());
    }
    // Rows that cannot be read are told before anything is written.
    let mut first = environment(job, job.simulation.run.seed)?;
    first.doubts().iter().for_each(|doubt| tracing::warn!("{doubt}"));
    drop(first.requests(0.0)?);
    std::fs::create_dir_all(&job.out).map_err(TrainError::io(&job.out))?;
    Ok(write_whole(&path, text.as_bytes())?)
}

/// The environment of a seed, at its beginning.
fn environment(job: &Job, seed: u64) -> Result<Box<dyn Environment>, RlError> {
    let (s, e) = (&job.simulation.simulate, &job.simulation.environment);
    let hours = s.warmup_hours + s.hours;
    if let Some(news) = &e.news {
        return Ok(Box::new(News::new(news.clone(), seed, hours)?));
    }
    let Some((path, data)) = &job.data else { return Err(bad("environment", "has no rows")) };
    let columns = start::schema(&job.simulation)?.columns(false);
    let source = burnrec_data::open(path, data)?;
    let form: Box<dyn Form> = match (&e.log, &e.bandit) {
        (Some(log), _) => Box::new(Lists::new(log.clone())),
        (None, Some(bandit)) => Box::new(Choices::new(&source, bandit.clone(), &columns)?),
        (None, None) => return Err(bad("environment", "has no rows")),
    };
    Ok(Box::new(LogReplay::open(source, form, &columns, hours)?))
}

/// How far an oracle should look ahead, by the clicks of some hours.
fn best_ahead(job: &Job, start: &start::Start, seed: u64) -> Result<Option<f64>, RlError> {
    let config = Arc::new(AgentConfig { policy: PolicyKind::Oracle, ..AgentConfig::default() });
    let mut best: Option<(u64, f64)> = None;
    for ahead in &job.simulation.simulate.oracle_ahead {
        let mut act = Act { job, seed, start, name: ORACLE, config: &config, ahead: *ahead, quiet: true };
        let folder = job.out.join(format!("seed-{seed}")).join(".oracle");
        let clicks = act.run(&folder, &mut |_, _, _, _| {})?.map(|measures| measures.clicks());
        match (clicks, best) {
            (None, _) => return Ok(None),
            (Some(clicks), best_so_far) if best_so_far.is_none_or(|(most, _)| clicks > most) => {
                best = Some((clicks, *ahead))
            }
            _ => {}
        }
    }
    Ok(best.map(|(_, ahead)| ahead))
}
