//! Plans: what is trained on what, from where, and how it is judged. Pure: config and windows in, phases out.

mod kind;
mod planned;
mod planner;
#[cfg(test)]
mod tests;

use burnrec_data::windows::Stretch;
use burnrec_train::{ScheduleConfig, Start, TrainError, Trainable};

pub use kind::Kind;
pub use planned::{Plan, Planned};
use planner::Planner;

/// Plans one way over the windows of a log.
///
/// # Errors
/// Too few windows: of the first stretch, or behind it.
pub fn plan(schedule: &ScheduleConfig, kind: Kind, windows: &[Stretch]) -> Result<Plan, TrainError> {
    plan_from(schedule, kind, windows, None)
}

/// The same, where the first stretch was trained before and ended at `begun`; its windows may be gone.
pub(crate) fn plan_from(
    schedule: &ScheduleConfig,
    kind: Kind,
    windows: &[Stretch],
    begun: Option<Stretch>,
) -> Result<Plan, TrainError> {
    let refused = |problem: String| TrainError::Setting { key: "schedule.start".into(), problem };
    let total: u64 = windows.iter().map(|w| w.rows).sum();
    let share = if let Start::Share(share) = schedule.start { share } else { 0.0 };
    let wanted = (total as f64 * share) as u64;
    let ends = windows.iter().scan(0, |rows, w| {
        *rows += w.rows;
        Some(*rows)
    });
    let first = match &begun {
        Some(begun) => windows.partition_point(|w| w.from < begun.to),
        None if schedule.start.moment().is_some() => windows.partition_point(|w| Some(w.to) <= schedule.start.moment()),
        None => ends.into_iter().take_while(|end| *end <= wanted).count(),
    };
    let (past, judged) = windows.split_at(first);
    let whole = |last: &Stretch| Stretch {
        from: past[0].from,
        to: judged.first().map_or(last.to, |next| next.from),
        rows: past.iter().map(|w| w.rows).sum(),
        sum: past.iter().fold(0, |sum, w| sum.wrapping_add(w.sum)),
    };
    let begun = begun.or_else(|| past.last().filter(|_| !judged.is_empty()).map(whole)).ok_or_else(|| {
        refused(format!(
            "leaves nothing to {}: there are {} windows of {} with {total} rows in all; take shorter windows, or another share",
            if past.is_empty() { "start from" } else { "go on with" },
            windows.len(),
            schedule.window
        ))
    })?;
    let planner = Planner { schedule, past: begun.from, all: windows };
    let mut start = planner.scratch("start", Some(begun), begun.from, begun.to);
    start.rows = begun.rows * schedule.epochs as u64;
    let mut phases = Vec::new();
    for (number, window) in judged.iter().enumerate() {
        planner.add(kind, number, window, &mut phases);
    }
    Ok(Plan { kind, start, phases, judged: judged.to_vec() })
}

/// Online, but what predicts is only as fresh as the last of the stretches, all of one length, that `cut` has.
pub(crate) fn plan_synchronised(start: &Plan, schedule: &ScheduleConfig, cut: &[Stretch]) -> Plan {
    let own = schedule.online.clone().unwrap_or_default();
    let begins = start.judged.first().map_or(i64::MAX, |window| window.from);
    let planner = Planner { schedule, past: begins, all: cut };
    let phase = |stretch: &Stretch| {
        let stretch = Stretch { from: stretch.from.max(begins), ..*stretch };
        let mut planned = planner.judged("online", &stretch, 1);
        planned.phase.online = Some(own.rows);
        planned.phase.trainable = Trainable { rate: own.rate, ..Trainable::default() };
        planned
    };
    let phases = cut.iter().filter(|stretch| stretch.to > begins).map(phase).collect();
    Plan { kind: Kind::Online, phases, ..start.clone() }
}
