//! A plan and its phases.

use burnrec_data::split::Window;
use burnrec_data::windows::Stretch;
use burnrec_train::Phase;

use super::kind::Kind;
use crate::log::stretch_text;

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
            Window::Span { from, to, .. } => stretch_text(*from, *to),
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
