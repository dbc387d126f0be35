//! All ways of a config over one log, each window predicted before it is learned from.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use burnrec_backend::Opened;
use burnrec_record::{ReplaySummary, SUMMARY, Way};
use burnrec_train::{Checked, Notice, Observer, RunFolder, Stop, TrainError};

use crate::folder::begin_as;
use crate::log::{Log, stretch_text};
use crate::plan::{Kind, Plan, plan, plan_synchronised};
use crate::run::{Outcome, Setting, check_parts};

/// Where the first stretch is trained, which all ways begin with.
const START: &str = "start";
/// A line of JSON a way and window.
const WINDOWS: &str = "windows.jsonl";

/// A replay.
pub struct Replay {
    /// The experiment.
    pub checked: Checked,
    /// Its log.
    pub log: Log,
    /// The device.
    pub opened: Opened,
    /// The folder: a run folder a way in it.
    pub out: PathBuf,
    /// The ways.
    pub kinds: Vec<Kind>,
    /// A request to stop.
    pub stop: Stop,
}

/// Runs all ways, each from the same first stretch; what stands in the folder is gone on with.
///
/// # Errors
/// Bad data and settings before anything is written; afterwards failures of the disk, and a loss that diverges.
pub fn replay(replay: &Replay, observer: &mut dyn Observer) -> Result<ReplaySummary, TrainError> {
    let Replay { checked, log, opened, out, kinds, stop } = replay;
    let plans = kinds.iter().map(|kind| plan(&log.schedule, *kind, log.windows())).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = plans.first() else {
        return Err(TrainError::Setting { key: "schedule".into(), problem: "has no way to go on".into() });
    };
    let setting = Setting { checked, opened, log, stop };
    match RunFolder::is_started(out) {
        true => RunFolder::check_same(out, checked.experiment())?,
        false => {
            observer.notice(&Notice::Stage("reading the log"));
            plans.iter().try_for_each(|plan| check_parts(checked, opened, plan))?;
            setting.check(first)?;
            drop(RunFolder::create(out, checked.experiment())?);
        }
    }
    let start = Plan { phases: Vec::new(), ..first.clone() };
    observer.notice(&Notice::Stage("training the first stretch"));
    let begun = setting.run(&start, &out.join(START), observer)?;
    // Ways that an earlier run of this folder ended stay.
    let old = std::fs::read_to_string(out.join(SUMMARY)).ok();
    let old: Option<ReplaySummary> = old.and_then(|text| serde_json::from_str(&text).ok());
    let mut ways = old.map_or_else(BTreeMap::new, |old| old.replay);
    let mut outcomes = Vec::new();
    let mut interrupted = begun.interrupted;
    for (name, plan) in with_synchronised(plans.clone(), log)? {
        if interrupted {
            break;
        }
        let folder = out.join(&name);
        begin_as(&out.join(START), &folder)?;
        observer.notice(&Notice::Stage(&name));
        let outcome = setting.run(&plan, &folder, observer)?;
        interrupted = outcome.interrupted;
        if !interrupted {
            ways.insert(name.clone(), Way::new(outcome.judged.values(), outcome.rows, outcome.seconds));
        }
        outcomes.push((name, outcome));
    }
    write_windows(replay, &outcomes)?;
    let judged: u64 = first.judged.iter().map(|w| w.rows).sum();
    let summary = ReplaySummary {
        status: if interrupted { "interrupted" } else { "completed" }.into(),
        model: checked.experiment().model.name().into(),
        device: opened.facts.clone(),
        seed: checked.experiment().run.seed,
        rows: BTreeMap::from([
            ("start".to_string(), log.windows().iter().map(|w| w.rows).sum::<u64>() - judged),
            ("judged".to_string(), judged),
        ]),
        windows: first.judged.len(),
        replay: ways,
        version: env!("CARGO_PKG_VERSION").into(),
    };
    burnrec_train::write_whole(&out.join(SUMMARY), summary.text().as_bytes())?;
    Ok(summary)
}

/// The plans with their names; behind that of online learning those that synchronise now and then.
fn with_synchronised(plans: Vec<Plan>, log: &Log) -> Result<Vec<(String, Plan)>, TrainError> {
    let mut all = Vec::new();
    for plan in plans {
        let lengths = log.schedule.online.iter().flat_map(|online| &online.sync).filter(|_| plan.kind == Kind::Online);
        let more = lengths.map(|length| {
            let own = plan_synchronised(
                &plan,
                &log.schedule,
                &log.cut(*length, plan.judged.first().map_or(i64::MAX, |window| window.from))?,
            );
            Ok((format!("{}_{length}", plan.kind.name()), own))
        });
        let more = more.collect::<Result<Vec<_>, TrainError>>()?;
        all.push((plan.kind.name().to_string(), plan));
        all.extend(more);
    }
    Ok(all)
}

fn write_windows(replay: &Replay, outcomes: &[(String, Outcome)]) -> Result<(), TrainError> {
    let path = replay.out.join(WINDOWS);
    let named = |line: &&str| {
        let way = serde_json::from_str::<serde_json::Value>(line)
            .ok()
            .and_then(|l| Some(l["schedule"].as_str()?.to_string()));
        way.is_some_and(|way| outcomes.iter().all(|(name, _)| *name != way))
    };
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let mut text: Vec<u8> = old.lines().filter(named).flat_map(|line| format!("{line}\n").into_bytes()).collect();
    for (name, outcome) in outcomes {
        let mut learned = 0;
        for entry in &outcome.entries {
            let rows = entry.rows_learned.saturating_sub(learned);
            learned = entry.rows_learned;
            if let (Some(window), Some(judged)) = (&entry.window, &entry.judged) {
                let line = serde_json::json!({
                    "schedule": name,
                    "window": stretch_text(window.from, window.to),
                    "rows": window.rows,
                    "rows_learned": rows,
                    "seconds": entry.seconds,
                    "metrics": judged,
                });
                // Writing to memory does not fail.
                drop(writeln!(text, "{line}"));
            }
        }
    }
    burnrec_train::write_whole(&path, &text)
}
