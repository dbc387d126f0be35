//! One agent in one environment, tick by tick.

use std::path::Path;

use burnrec_train::{TrainError, write_whole};

use super::Job;
use super::measure::Measures;
use super::start::Start;
use crate::agent::{AgentConfig, Asked, Policy, PolicyKind, from_bytes, to_bytes};
use crate::environment::{Environment, Tally};
use crate::error::RlError;

/// What was done.
const HOURS: &str = "hours.json";

/// An agent to act.
pub(super) struct Act<'a> {
    pub(super) job: &'a Job,
    pub(super) seed: u64,
    pub(super) start: &'a Start,
    pub(super) name: &'a str,
    pub(super) config: &'a AgentConfig,
    /// How far an oracle looks ahead.
    pub(super) ahead: f64,
    /// Whether nothing is written.
    pub(super) quiet: bool,
}

impl Act<'_> {
    /// Runs it to the end, or takes up what was done; none where a stop was asked for. `told` hears the hour, how many there
    /// are, clicks and lists.
    pub(super) fn run(
        &mut self,
        run: &Path,
        told: &mut dyn FnMut(usize, usize, u64, u64),
    ) -> Result<Option<Measures>, RlError> {
        let done = run.join(HOURS);
        if done.exists() && !self.quiet {
            let text = std::fs::read_to_string(&done).map_err(TrainError::io(&done))?;
            let damaged =
                |e: serde_json::Error| RlError::State { path: done.display().to_string(), problem: e.to_string() };
            return serde_json::from_str(&text).map(Some).map_err(damaged);
        }
        let s = &self.job.simulation.simulate;
        let mut environment = super::environment(self.job, self.seed)?;
        let Some((mut policy, beside)) = self.agent(run)? else { return Ok(None) };
        let activeness = self.config.activeness.clone();
        let begins = beside.is_none();
        let (state, mut measures, first): (Vec<u8>, Measures, u64) = match beside {
            Some(beside) => from_bytes(&beside, &run.display().to_string())?,
            None => (
                self.start.environment.clone(),
                Measures::new(activeness, self.job.simulation.environment.allows()),
                self.start.tick,
            ),
        };
        environment.restore(&state)?;
        if begins {
            // What happened before is no agent's.
            let _: Tally = environment.tally();
        }
        let end = (environment.end() / s.tick_seconds).ceil() as u64;
        let per = |hours: f64| ((hours * 3_600.0 / s.tick_seconds).round() as u64).max(1);
        let (hour, checkpoint) = (per(1.0), per(s.checkpoint_hours));
        for tick in first..end {
            let now = tick as f64 * s.tick_seconds;
            self.answer(&mut *environment, &mut *policy, &mut measures, now)?;
            let passed = tick + 1 - self.start.tick;
            if tick + 1 == end && self.job.simulation.environment.news.is_none() {
                // What a log knows of the last lists is known, however late.
                environment.feedback(f64::INFINITY).iter().for_each(|feedback| measures.heard_of(feedback));
            }
            if passed.is_multiple_of(hour) || tick + 1 == end {
                measures.end_hour(now, environment.tally(), |a, b| environment.similarity(a, b));
                told(
                    measures.hours.len(),
                    (end - self.start.tick).div_ceil(hour) as usize,
                    measures.clicks(),
                    measures.lists(),
                );
            }
            let stops = self.job.stop.is_asked();
            if (stops || passed.is_multiple_of(checkpoint)) && !self.quiet {
                policy.save(to_bytes(&(environment.save()?, &measures, tick + 1), "agent")?)?;
            }
            if stops {
                return Ok(None);
            }
        }
        measures.heard = policy.heard();
        if measures.lists() == 0 {
            tracing::warn!(
                "{}: nobody asked in the hours behind the first; is the log shorter than simulate.warmup_hours?",
                self.name
            );
        }
        if let Some(mean) = measures.doubtful_weight() {
            tracing::warn!(
                "{}: the mean weight is {mean:.2}, and would be near 1 if the propensities were those of the log's policy and covered all items; snips and ips say little",
                self.name
            );
        }
        if !self.quiet {
            policy.save(to_bytes(&(environment.save()?, &measures, end), "agent")?)?;
            std::fs::create_dir_all(run).map_err(TrainError::io(run))?;
            measures = measures.ended();
            write_whole(&done, serde_json::to_string(&measures).unwrap_or_default().as_bytes())?;
        }
        Ok(Some(measures))
    }

    /// Answers what came up to a time, and hears what is known of earlier lists.
    fn answer(
        &self,
        environment: &mut dyn Environment,
        policy: &mut dyn Policy,
        measures: &mut Measures,
        now: f64,
    ) -> Result<(), RlError> {
        let requests = environment.requests(now)?;
        if !requests.is_empty() {
            let needs_rows =
                !matches!(self.config.policy, PolicyKind::Random | PolicyKind::Popularity | PolicyKind::Oracle);
            let rows = environment.rows(if needs_rows { &requests } else { &[] })?;
            let truth: Vec<Vec<(f64, f64)>> = match self.config.policy {
                PolicyKind::Oracle => requests.iter().filter_map(|request| environment.truth(request)).collect(),
                _ => Vec::new(),
            };
            let places = self.job.simulation.simulate.places;
            let source = environment.source();
            let slates =
                policy.push(&Asked { now, places, requests: &requests, rows: &rows, source, truth: &truth })?;
            for (request, slate) in requests.iter().zip(&slates) {
                let labels: Option<Vec<bool>> = environment.labels(request).into_iter().collect();
                let liked = labels.filter(|all| !all.is_empty()).map(|all| all.iter().filter(|liked| **liked).count());
                measures.shown(request, slate, liked, |a, b| environment.similarity(a, b));
                environment.show(request.id, slate)?;
            }
        }
        let feedback = environment.feedback(now);
        feedback.iter().for_each(|feedback| measures.heard_of(feedback));
        policy.hear(&feedback)?;
        policy.tick(now)
    }
}
