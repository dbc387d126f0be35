//! A job that keeps one model fresh: run again and again over a log that grows, it learns from the windows that are new.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use burnrec_backend::Opened;
use burnrec_data::windows::Stretch;
use burnrec_train::{Checked, Notice, Observer, RunFolder, Stop, TrainError};

use crate::ledger::{Ledger, stretch};
use crate::log::{Log, stretch_text};
use crate::plan::{Kind, plan_from};
use crate::run::Setting;
use burnrec_record::Entry;

/// Such a job.
pub struct Update {
    /// The experiment.
    pub checked: Checked,
    /// Its log, as it is now.
    pub log: Log,
    /// The device.
    pub opened: Opened,
    /// The run folder.
    pub out: PathBuf,
    /// The way.
    pub kind: Kind,
    /// A request to stop.
    pub stop: Stop,
}

/// What a run of the job came to.
#[derive(Clone, Debug)]
pub struct Updated {
    /// Phases that were run now.
    pub done: Vec<Entry>,
    /// Windows that are not over yet.
    pub open: usize,
    /// Whether it was asked to stop.
    pub interrupted: bool,
}

impl Updated {
    /// The phases whose gate refused what was made before them.
    pub fn refused(&self) -> impl Iterator<Item = &Entry> {
        self.done.iter().filter(|entry| entry.gate.is_some_and(|gate| !gate.passes))
    }
}

/// Learns from the windows that the job's ledger does not have, and that are over.
///
/// # Errors
/// Bad data and settings, windows that changed since they were read; failures of the disk, a loss that diverges.
pub fn update(job: &Update, observer: &mut dyn Observer) -> Result<Updated, TrainError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    let over = |window: &&Stretch| u128::try_from(window.to).is_ok_and(|to| to <= now);
    let windows: Vec<Stretch> = job.log.windows().iter().filter(over).copied().collect();
    let open = job.log.windows().len() - windows.len();
    let started = RunFolder::is_started(&job.out);
    let before = if started { Ledger::open(&job.out)?.entries().to_vec() } else { Vec::new() };
    let begun = before.first().and_then(|first| first.window.as_ref()).map(stretch);
    let gone = begun
        .is_some_and(|begun| windows.iter().filter(|w| w.from < begun.to).map(|w| w.rows).sum::<u64>() < begun.rows);
    let scratch = matches!(job.kind, Kind::Full | Kind::Combined);
    let samples = job.log.schedule.incremental.as_ref().is_some_and(|own| own.replay > 0.0) && job.kind != Kind::Online;
    if gone && (scratch || samples) {
        tracing::warn!(
            "the log has lost rows of the first stretch: {} of what it still has",
            if scratch { "a training from scratch is" } else { "what is replayed is a sample" }
        );
    }
    let plan = plan_from(&job.log.schedule, job.kind, &known(&before, begun, windows), begun)?;
    let setting = Setting { checked: &job.checked, opened: &job.opened, log: &job.log, stop: &job.stop };
    if !started {
        observer.notice(&Notice::Stage("reading the log"));
        setting.check(&plan)?;
    }
    let outcome = setting.run(&plan, &job.out, observer)?;
    Ok(Updated { done: outcome.entries[before.len()..].to_vec(), open, interrupted: outcome.interrupted })
}

/// The windows of a job: those that it learned from as its ledger has them, though they may be gone from the log or have got
/// rows since, and those behind them as the log has them. Rows that came late are told, and left out.
fn known(before: &[Entry], begun: Option<Stretch>, log: Vec<Stretch>) -> Vec<Stretch> {
    let Some(begun) = begun else { return log };
    let mut all: Vec<Stretch> = before.iter().skip(1).filter_map(|entry| entry.window.as_ref()).map(stretch).collect();
    all.dedup();
    let newest = all.last().map_or(begun.to, |w| w.to);
    let (old, new): (Vec<Stretch>, Vec<Stretch>) = log.into_iter().partition(|w| w.from < newest);
    let first: u64 = old.iter().filter(|w| w.from < begun.to).map(|w| w.rows).sum();
    if first > begun.rows {
        tell_late(&begun, first - begun.rows);
    }
    for window in old.iter().filter(|w| w.from >= begun.to) {
        let read = all.iter().find(|known| known.from == window.from).map_or(0, |known| known.rows);
        if window.rows > read {
            tell_late(window, window.rows - read);
        }
    }
    all.extend(new);
    all
}

fn tell_late(window: &Stretch, rows: u64) {
    tracing::warn!(
        "{}: {rows} rows came after the window was learned from, and are left out, but of trainings from scratch",
        stretch_text(window.from, window.to)
    );
}
