//! What a run comes to: times and values on the way, the summary at the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use burnrec_data::Side;
use burnrec_record::{Parameters, Summary, TaskMetrics, Throughput};

use super::{Ending, Session};
use crate::metrics::Predictions;

/// Step times that the median is taken over, at most: the latest ones.
const STEP_TIMES: usize = 4096;

/// What was found on the way.
#[derive(Default)]
pub(super) struct Found {
    /// Seconds of each stage.
    seconds: BTreeMap<String, f64>,
    /// Seconds of all phases, their validations included.
    phases: f64,
    steps: Vec<f32>,
    /// The validation of the best epoch.
    pub(super) valid: Option<TaskMetrics>,
    /// What the last measured side was predicted to be, where the report is about it.
    pub(super) known: Option<(Side, Vec<Predictions>)>,
    /// What ranking by training rows comes to, by side.
    pub(super) popularity: BTreeMap<String, TaskMetrics>,
}

impl Found {
    pub(super) fn after_fit(time: Duration) -> Self {
        Self { seconds: BTreeMap::from([("fit".to_string(), time.as_secs_f64())]), ..Self::default() }
    }

    pub(super) fn add(&mut self, stage: &str, since: Instant) {
        *self.seconds.entry(stage.to_string()).or_insert(0.0) += since.elapsed().as_secs_f64();
    }

    /// Time of a phase, its validations included.
    pub(super) fn add_training(&mut self, time: Duration) {
        self.phases += time.as_secs_f64();
    }

    pub(super) fn step(&mut self, seconds: f64) {
        if self.steps.len() == STEP_TIMES {
            self.steps.remove(0);
        }
        self.steps.push(seconds as f32);
    }
}

impl Session<'_> {
    pub(super) fn summary(&mut self, ending: Ending, test: Option<TaskMetrics>) -> Summary {
        let (weights, progress) = (&self.stepper.weights, &self.progress);
        let experiment = self.job.checked.experiment();
        let found = std::mem::take(&mut self.found);
        let sides = [("valid", found.valid), ("test", test)];
        let sides: Vec<(String, TaskMetrics)> =
            sides.into_iter().filter_map(|(name, m)| Some((name.to_string(), m?))).collect();
        let facts = weights.tables.facts();
        let mut times = found.steps;
        times.sort_by(f32::total_cmp);
        let mut seconds = found.seconds;
        seconds.insert("train".into(), found.phases - seconds.get("valid").copied().unwrap_or(0.0));
        let popularity = found.popularity.into_iter();
        Summary {
            status: match ending {
                Ending::Completed => "completed",
                Ending::StoppedEarly => "stopped_early",
                Ending::Interrupted => "interrupted",
            }
            .into(),
            model: experiment.model.name().into(),
            tasks: self.job.checked.tasks().iter().map(|task| task.name.clone()).collect(),
            device: self.job.opened.facts.clone(),
            placement: weights.tables.placement().into(),
            seed: experiment.run.seed,
            epochs: progress.epoch,
            best_epoch: progress.best_epoch,
            rows: self.rows.iter().map(|(side, rows)| (side.to_string(), *rows)).collect(),
            undefined: sides.iter().map(|(n, m)| (n.clone(), m.reasons())).filter(|(_, r)| !r.is_empty()).collect(),
            metrics: sides.iter().map(|(n, m)| (n.clone(), m.values())).collect(),
            baselines: popularity.map(|(n, m)| (n, BTreeMap::from([("popularity".into(), m.values())]))).collect(),
            throughput: Throughput {
                rows_per_second: if progress.seconds > 0.0 { progress.rows as f64 / progress.seconds } else { 0.0 },
                median_step_ms: times.get(times.len() / 2).map_or(0.0, |s| f64::from(*s) * 1e3),
            },
            seconds,
            parameters: Parameters {
                dense: weights.model().map_or(0, burn::module::Module::num_params) as u64,
                embedding_rows: facts.rows,
                embedding_floats: facts.floats,
                embedding_non_zero: facts.non_zero,
            },
            peak_memory_bytes: peak_memory_bytes(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

/// The largest resident set of this process so far.
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
