//! Plans: what is trained on what, from where, and how it is judged. Pure: config and windows in, phases out.

use burnrec_data::split::Window;
use burnrec_data::windows::Stretch;
use burnrec_train::{Dense, Phase, ScheduleConfig, Start, StartFrom, TrainError, Trainable};

/// A way to keep a model fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Not at all.
    Stale,
    /// By each window, once it is over.
    Incremental,
    /// Incremental rounds, and full trainings between them.
    Combined,
    /// By a few rows at a time.
    Online,
    /// From scratch before each window.
    Full,
}

impl Kind {
    /// All, in the order in which they run.
    pub const ALL: [Self; 5] = [Self::Stale, Self::Incremental, Self::Combined, Self::Online, Self::Full];

    /// The name in configs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Incremental => "incremental",
            Self::Combined => "combined",
            Self::Online => "online",
            Self::Full => "full",
        }
    }

    /// Whether a config asks for it.
    pub fn is_in(self, schedule: &ScheduleConfig) -> bool {
        match self {
            Self::Stale => schedule.stale.is_some(),
            Self::Incremental => schedule.incremental.is_some(),
            Self::Combined => schedule.combined.is_some(),
            Self::Online => schedule.online.is_some(),
            Self::Full => schedule.full.is_some(),
        }
    }
}

/// A phase of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// What it is, in a word: `start`, `round`, `full`, `online`, `judge`.
    pub what: &'static str,
    /// The stretch of time that it is for.
    pub window: Option<Stretch>,
    /// What is run.
    pub phase: Phase,
    /// Rows that it learns from, each as often as it does.
    pub rows: u64,
}

/// The phases of one way to keep a model fresh.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The way.
    pub kind: Kind,
    /// The training of the first stretch, which is the same for every way.
    pub start: Planned,
    /// What follows it.
    pub phases: Vec<Planned>,
    /// Windows that are predicted before they are learned from.
    pub judged: Vec<Stretch>,
}

impl Planned {
    /// The stretch of time that it learns from.
    pub fn text(&self) -> String {
        match &self.phase.train {
            Window::Span { from, to, .. } => crate::log::stretch_text(*from, *to),
            Window::Side(side) => side.name().to_string(),
        }
    }
}

impl Plan {
    /// How many phases there are of each sort.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let mut counts: Vec<(&'static str, usize)> = Vec::new();
        for planned in &self.phases {
            match counts.iter_mut().find(|(what, _)| *what == planned.what) {
                Some((_, count)) => *count += 1,
                None => counts.push((planned.what, 1)),
            }
        }
        counts
    }

    /// Rows that are learned from behind the first stretch, each as often as it is.
    pub fn rows(&self) -> u64 {
        self.phases.iter().map(|planned| planned.rows).sum()
    }
}

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

struct Planner<'a> {
    schedule: &'a ScheduleConfig,
    past: i64,
    all: &'a [Stretch],
}

impl Planner<'_> {
    fn span(&self, from: i64, to: i64) -> Window {
        Window::Span { column: self.schedule.time.clone(), from, to }
    }

    fn rows(&self, from: i64, to: i64) -> u64 {
        self.all.iter().filter(|w| w.from >= from && w.from < to).map(|w| w.rows).sum()
    }

    /// A training from scratch on a stretch.
    fn scratch(&self, what: &'static str, window: Option<Stretch>, from: i64, to: i64) -> Planned {
        let epochs = self.schedule.epochs;
        let phase = Phase { train: self.span(from, to), eval: None, from: StartFrom::Fresh, ..Phase::whole(epochs) };
        Planned { what, window, phase, rows: self.rows(from, to) * epochs as u64 }
    }

    /// One on what was there at a moment, for a window.
    fn full(&self, window: &Stretch, to: i64) -> Planned {
        let history = self.schedule.full.as_ref().and_then(|full| full.history);
        let from = history.map_or(self.past, |length| to.saturating_sub(length.nanoseconds()));
        self.scratch("full", Some(*window), from.min(to - 1), to)
    }

    /// A window as it is predicted; what is learned from it follows.
    fn judged(&self, what: &'static str, window: &Stretch, epochs: usize) -> Planned {
        let own = self.span(window.from, window.to);
        let phase = Phase { train: own.clone(), eval: None, judge: Some(own), ..Phase::whole(epochs) };
        Planned { what, window: Some(*window), phase, rows: window.rows * epochs as u64 }
    }

    fn round(&self, window: &Stretch, gated: bool) -> Planned {
        let own = self.schedule.incremental.clone().unwrap_or_default();
        let mut planned = self.judged("round", window, own.epochs);
        let dense = own.dense.map_or(Dense::All, Dense::Only);
        planned.phase.trainable = Trainable { dense, lookups: own.lookups, rate: own.rate };
        planned.phase.gate = self.schedule.gate.clone().filter(|_| gated);
        planned.phase.distil = own.distil;
        planned.phase.replay = (own.replay > 0.0).then_some((own.replay, own.reservoir));
        planned.rows = (planned.rows as f64 / (1.0 - own.replay)) as u64;
        planned
    }

    fn add(&self, kind: Kind, number: usize, window: &Stretch, to: &mut Vec<Planned>) {
        match kind {
            Kind::Stale => to.push(self.judged("judge", window, 0)),
            Kind::Incremental => to.push(self.round(window, true)),
            Kind::Combined => {
                let rounds = self.schedule.combined.clone().unwrap_or_default().rounds;
                let full = (number > 0 && number.is_multiple_of(rounds)).then(|| self.full(window, window.from));
                // What predicts a window is chosen before a label of it is known; the choice shows on the next one.
                let Some(mut full) = full.filter(|full| full.rows > 0) else {
                    return to.push(self.round(window, false));
                };
                full.phase.contest = Some(self.span(window.from, window.to));
                let mut round = self.round(window, false);
                round.phase.judge = None;
                to.extend([self.judged("judge", window, 0), full, round]);
            }
            Kind::Online => {
                let own = self.schedule.online.clone().unwrap_or_default();
                let mut planned = self.judged("online", window, 1);
                planned.phase.judge = None;
                planned.phase.online = Some(own.rows);
                planned.phase.trainable = Trainable { rate: own.rate, ..Trainable::default() };
                to.push(planned);
            }
            Kind::Full => {
                to.push(self.judged("judge", window, 0));
                to.extend(Some(self.full(window, window.to)).filter(|full| full.rows > 0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000_000;

    fn windows(rows: &[u64]) -> Vec<Stretch> {
        let of = |(day, rows): (i64, &u64)| Stretch { from: day * DAY, to: (day + 1) * DAY, rows: *rows, sum: 0 };
        (100..).zip(rows).filter(|(_, rows)| **rows > 0).map(of).collect()
    }

    fn schedule(text: &str) -> ScheduleConfig {
        // The crate's own tests read no files; a config is what its text says.
        serde_json::from_str(text).unwrap()
    }

    fn whats(plan: &Plan) -> Vec<&'static str> {
        plan.phases.iter().map(|p| p.what).collect()
    }

    #[test]
    fn the_first_stretch_has_its_share_at_most_and_every_window_behind_it_is_judged_once() {
        let all = windows(&[10, 30, 0, 20, 40, 100]);
        let config = schedule(r#"{"time": "t", "start": 0.3, "epochs": 2, "incremental": {"replay": 0.5}}"#);
        let plan = plan(&config, Kind::Incremental, &all).unwrap();
        assert_eq!(plan.start.phase.train, Window::Span { column: "t".into(), from: 100 * DAY, to: 104 * DAY });
        assert_eq!((plan.start.rows, plan.judged.len()), (120, 2));
        assert_eq!(plan.phases.iter().map(|p| p.rows).collect::<Vec<_>>(), [80, 200]);
        assert!(
            plan.phases
                .iter()
                .all(|p| p.phase.judge.as_ref() == Some(&p.phase.train) && p.phase.from == StartFrom::Last)
        );
    }

    #[test]
    fn full_trainings_end_where_their_window_begins() {
        let all = windows(&[10; 8]);
        let config = schedule(r#"{"time": "t", "start": 0.5, "full": {"history": "2d"}, "combined": {"rounds": 2}}"#);
        let full = plan(&config, Kind::Full, &all).unwrap();
        assert_eq!(whats(&full), ["judge", "full", "judge", "full", "judge", "full", "judge", "full"]);
        assert!(
            full.phases.iter().filter(|p| p.what == "full").all(|p| p.rows == 20 && p.phase.from == StartFrom::Fresh)
        );
        let combined = plan(&config, Kind::Combined, &all).unwrap();
        assert_eq!(whats(&combined), ["round", "round", "judge", "full", "round", "round"]);
        let contest = combined.phases[3].phase.contest.clone();
        assert_eq!(contest, combined.phases[2].phase.judge);
        assert_eq!(combined.phases[4].phase.judge, None);
        let growing = schedule(r#"{"time": "t", "start": 0.5, "full": {}}"#);
        let growing = plan(&growing, Kind::Full, &all).unwrap();
        assert_eq!(whats(&growing), ["judge", "full", "judge", "full", "judge", "full", "judge", "full"]);
        assert_eq!(growing.rows(), 50 + 60 + 70 + 80);
        // A stretch without rows is no training.
        let gap = windows(&[10, 10, 0, 0, 10, 10]);
        let daily = schedule(r#"{"time": "t", "start": 0.5, "full": {"history": "1d"}, "combined": {"rounds": 1}}"#);
        assert!(plan(&daily, Kind::Full, &gap).unwrap().phases.iter().all(|p| p.rows > 0 || p.what == "judge"));
        assert_eq!(whats(&plan(&daily, Kind::Combined, &gap).unwrap()), ["round", "judge", "full", "round"]);
    }

    #[test]
    fn too_few_windows_are_refused() {
        let config = schedule(r#"{"time": "t", "start": 0.5, "stale": {}}"#);
        for rows in [&[10][..], &[90, 10], &[]] {
            assert!(plan(&config, Kind::Stale, &windows(rows)).is_err(), "{rows:?}");
        }
    }
}
