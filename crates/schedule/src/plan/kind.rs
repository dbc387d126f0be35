//! The ways to keep a model fresh.

use burnrec_train::ScheduleConfig;

/// A way to keep a model fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Not at all.
    Stale,
    /// The weights of the first stretch, calibrated on each window once it is over.
    Calibrated,
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
    pub const ALL: [Self; 6] =
        [Self::Stale, Self::Calibrated, Self::Incremental, Self::Combined, Self::Online, Self::Full];

    /// The name in configs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Calibrated => "calibrated",
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
            Self::Calibrated => schedule.calibrated.is_some(),
            Self::Incremental => schedule.incremental.is_some(),
            Self::Combined => schedule.combined.is_some(),
            Self::Online => schedule.online.is_some(),
            Self::Full => schedule.full.is_some(),
        }
    }
}
