//! The phases of windows, one after another.

use burnrec_data::split::Window;
use burnrec_data::windows::Stretch;
use burnrec_train::{Between, CombinedConfig, Dense, Phase, ScheduleConfig, StartFrom, Trainable};

use super::kind::Kind;
use super::planned::Planned;

pub(super) struct Planner<'a> {
    pub(super) schedule: &'a ScheduleConfig,
    /// Where the log begins.
    pub(super) past: i64,
    /// Its windows.
    pub(super) all: &'a [Stretch],
}

impl Planner<'_> {
    fn span(&self, from: i64, to: i64) -> Window {
        Window::Span { column: self.schedule.time.clone(), from, to }
    }

    fn rows(&self, from: i64, to: i64) -> u64 {
        self.all.iter().filter(|w| w.from >= from && w.from < to).map(|w| w.rows).sum()
    }

    /// A training from scratch on a stretch.
    pub(super) fn scratch(&self, what: &'static str, window: Option<Stretch>, from: i64, to: i64) -> Planned {
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
    pub(super) fn judged(&self, what: &'static str, window: &Stretch, epochs: usize) -> Planned {
        let own = self.span(window.from, window.to);
        let phase = Phase { train: own.clone(), eval: None, judge: Some(own), ..Phase::whole(epochs) };
        Planned { what, window: Some(*window), phase, rows: window.rows * epochs as u64 }
    }

    /// The `number`th round, from 0.
    fn round(&self, number: usize, window: &Stretch, gated: bool) -> Planned {
        let own = self.schedule.incremental.clone().unwrap_or_default();
        let mut planned = self.judged("round", window, own.epochs);
        let dense = own.dense.map_or(Dense::All, Dense::Only);
        let rests = own.every.iter().filter(|(_, every)| !(number + 1).is_multiple_of(**every));
        let rests = rests.map(|(name, _)| name.clone()).collect();
        planned.phase.trainable = Trainable { dense, lookups: own.lookups, rests, rate: own.rate };
        planned.phase.gate = self.schedule.gate.clone().filter(|_| gated);
        planned.phase.distil = own.distil;
        planned.phase.refit = own.refit;
        planned.phase.decay = own.decay;
        planned.phase.replay = (own.replay > 0.0).then_some((own.replay, own.reservoir));
        planned.rows = (planned.rows as f64 / (1.0 - own.replay)) as u64;
        planned
    }

    /// A window by a few rows at a time, each predicted before it is learned from.
    fn online(&self, window: &Stretch) -> Planned {
        let own = self.schedule.online.clone().unwrap_or_default();
        let mut planned = self.judged("online", window, 1);
        planned.phase.judge = None;
        planned.phase.online = Some(own.rows);
        planned.phase.trainable = Trainable { rate: own.rate, ..Trainable::default() };
        planned
    }

    /// What a way does for a window, the `number`th behind the first stretch.
    pub(super) fn add(&self, kind: Kind, number: usize, window: &Stretch, to: &mut Vec<Planned>) {
        match kind {
            Kind::Stale => to.push(self.judged("judge", window, 0)),
            Kind::Calibrated => {
                let mut planned = self.judged("calibrate", window, 0);
                planned.phase.calibrate = self.schedule.calibrated;
                to.push(planned);
            }
            Kind::Incremental => to.push(self.round(number, window, true)),
            Kind::Combined => {
                let CombinedConfig { rounds, between } = self.schedule.combined.clone().unwrap_or_default();
                let full = (number > 0 && number.is_multiple_of(rounds)).then(|| self.full(window, window.from));
                if between == Between::Online {
                    to.extend(full.filter(|full| full.rows > 0));
                    return to.push(self.online(window));
                }
                // What predicts a window is chosen before a label of it is known; the choice shows on the next one.
                let Some(mut full) = full.filter(|full| full.rows > 0) else {
                    return to.push(self.round(number, window, false));
                };
                full.phase.contest = Some(self.span(window.from, window.to));
                let mut round = self.round(number, window, false);
                round.phase.judge = None;
                to.extend([self.judged("judge", window, 0), full, round]);
            }
            Kind::Online => to.push(self.online(window)),
            Kind::Full => {
                to.push(self.judged("judge", window, 0));
                to.extend(Some(self.full(window, window.to)).filter(|full| full.rows > 0));
            }
        }
    }
}
