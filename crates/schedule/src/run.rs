//! One way to keep a model fresh, run over a log.

use std::path::Path;
use std::time::Instant;

use burnrec_backend::Opened;
use burnrec_data::split::{Dataset, Window};
use burnrec_record::TaskMetrics;
use burnrec_train::{
    Checked, Ending, Job, Notice, Observer, Session, Stop, TrainError, Trainable, check_rows, check_trainable,
};

use crate::ledger::{Ledger, as_read};
use crate::log::{Log, stretch_text};
use crate::plan::{Plan, Planned};
use burnrec_record::{Entry, Gate};

/// What all ways have in common.
pub(crate) struct Setting<'a> {
    pub(crate) checked: &'a Checked,
    pub(crate) opened: &'a Opened,
    pub(crate) log: &'a Log,
    pub(crate) stop: &'a Stop,
}

/// What a way came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Metrics of all rows that were predicted before they were learned from.
    pub judged: TaskMetrics,
    /// Rows that were learned from behind the first stretch, each as often as it was.
    pub rows: u64,
    /// Seconds that this took.
    pub seconds: f64,
    /// The ledger's lines.
    pub entries: Vec<Entry>,
    /// Whether it was asked to stop.
    pub interrupted: bool,
}

/// Refuses names of parts that the model does not have, before anything is trained.
///
/// # Errors
/// The first such name, and that of the setting.
pub fn check_parts(checked: &Checked, opened: &Opened, plan: &Plan) -> Result<(), TrainError> {
    let mut seen: Vec<&Trainable> = Vec::new();
    for planned in &plan.phases {
        let own = &planned.phase.trainable;
        if !seen.contains(&own) {
            check_trainable(checked, own, opened).map_err(|error| match error {
                TrainError::Setting { problem, .. } => {
                    TrainError::Setting { key: "schedule.incremental".into(), problem }
                }
                other => other,
            })?;
            seen.push(own);
        }
    }
    Ok(())
}

impl Setting<'_> {
    /// Reads every row once.
    pub(crate) fn check(&self, plan: &Plan) -> Result<(), TrainError> {
        let later = match &plan.start.phase.train {
            Window::Span { column, to, .. } => Some(Window::Span { column: column.clone(), from: *to, to: i64::MAX }),
            Window::Side(_) => None,
        };
        check_parts(self.checked, self.opened, plan)?;
        let dataset = Dataset::whole(self.log.rows.clone()).view(&plan.start.phase.train, later.as_ref())?;
        check_rows(self.checked, &dataset)
    }

    /// A session over the log in a folder, taken up again where one stands there.
    fn session<'o>(
        &self,
        start: &Planned,
        folder: &Path,
        observer: &'o mut dyn Observer,
    ) -> Result<Session<'o>, TrainError> {
        let dataset = Dataset::whole(self.log.rows.clone()).view(&start.phase.train, None)?;
        let job = Job {
            checked: self.checked.clone(),
            dataset,
            opened: self.opened.clone(),
            out: folder.to_path_buf(),
            resume: true,
            stop: self.stop.clone(),
        };
        Session::start(job, observer)
    }

    /// Runs the phases of a plan that its ledger does not have yet.
    pub(crate) fn run(&self, plan: &Plan, folder: &Path, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let mut session = self.session(&plan.start, folder, observer)?;
        let mut ledger = Ledger::open(folder)?;
        ledger.check_way(plan.kind.name())?;
        let mut interrupted = false;
        let all = std::iter::once(&plan.start).chain(&plan.phases);
        for (number, planned) in all.enumerate() {
            ledger.check(number, planned.window.as_ref())?;
            if number >= ledger.entries().len() {
                if session.complete() > number {
                    return Err(ledger.lacks(number));
                }
                ledger.begin(number, planned.window.as_ref(), session.is_within(number))?;
            }
            let begins = Instant::now();
            if session.run(&planned.phase)? == Ending::Interrupted || self.stop.is_asked() {
                interrupted = true;
                break;
            }
            if number >= ledger.entries().len() {
                let entry = entry(&session, plan.kind.name(), number, planned, begins)?;
                session.tell(&Notice::Note(&line(plan, planned, &entry)));
                ledger.add(entry)?;
            }
        }
        let (entries, judged) = (ledger.entries().to_vec(), session.judged_in_all()?);
        session.finish(if interrupted { Ending::Interrupted } else { Ending::Completed })?;
        let first = entries.first().map_or(0, |entry| entry.rows_learned);
        Ok(Outcome {
            judged,
            rows: entries.last().map_or(0, |entry| entry.rows_learned - first),
            seconds: entries.iter().skip(1).map(|entry| entry.seconds).sum(),
            entries,
            interrupted,
        })
    }
}

fn entry(
    session: &Session<'_>,
    way: &str,
    phase: usize,
    planned: &Planned,
    begins: Instant,
) -> Result<Entry, TrainError> {
    let judges = planned.phase.judge.is_some() || planned.phase.online.is_some();
    Ok(Entry {
        phase,
        way: way.to_string(),
        what: planned.what.to_string(),
        window: planned.window.as_ref().map(as_read),
        step: session.steps(),
        rows_learned: session.rows_learned(),
        judged: judges.then(|| session.judged().map(|metrics| metrics.values())).transpose()?,
        gate: session.verdict().map(|v| Gate { published: v.published, candidate: v.candidate, passes: v.passes }),
        seconds: begins.elapsed().as_secs_f64(),
        made: session.made()?,
    })
}

fn line(plan: &Plan, planned: &Planned, entry: &Entry) -> String {
    let window = planned.window.map_or("the first stretch".to_string(), |w| stretch_text(w.from, w.to));
    let judged = entry.judged.as_ref().map_or_else(String::new, |values| {
        let show = |(name, value): (String, Option<f64>)| match value {
            Some(value) => format!("  {name} {value:.4}"),
            None => format!("  {name} undefined"),
        };
        values.flat().into_iter().map(show).collect()
    });
    format!("{} {}: {window}{judged}", plan.kind.name(), planned.what)
}
