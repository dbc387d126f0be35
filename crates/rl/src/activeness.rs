//! How active users are: a survival model with a constant hazard (Zheng et al. 2018, §4.4).
//!
//! Between returns `S` decays by `e^{-λ Δt}`; on each return `S ← min(1, S + S_a)`. A user who comes back every `T_0` stays
//! where he started, about: `S_0 e^{-λ T_0} + S_a ≈ S_0`. Users are touched only when they are asked about.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{RlError, bad};

/// The survival model of users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ActivenessConfig {
    /// What it weighs in the reward, β; 0 leaves it out.
    pub weight: f64,
    /// Activeness of a user who is new, S_0, 0..1.
    pub start: f64,
    /// What a return adds, S_a, 0..1.
    pub per_return: f64,
    /// The hazard λ a second; above 0.
    pub hazard: f64,
}

impl Default for ActivenessConfig {
    fn default() -> Self {
        Self { weight: 0.05, start: 0.5, per_return: 0.32, hazard: 1.2e-5 }
    }
}

impl ActivenessConfig {
    /// Refuses settings that cannot work.
    pub(crate) fn check(&self, key: &str) -> Result<(), RlError> {
        let share = |x: f64| (0.0..=1.0).contains(&x);
        match () {
            () if !(self.weight >= 0.0 && self.weight.is_finite()) => {
                Err(bad(format!("{key}.weight"), "must be at least 0"))
            }
            () if !share(self.start) => Err(bad(format!("{key}.start"), "must lie in 0..=1")),
            () if !share(self.per_return) => Err(bad(format!("{key}.per_return"), "must lie in 0..=1")),
            () if !(self.hazard > 0.0 && self.hazard.is_finite()) => {
                Err(bad(format!("{key}.hazard"), "must be above 0"))
            }
            () => Ok(()),
        }
    }
}

/// The activeness of all users that ever came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activeness {
    config: ActivenessConfig,
    /// S, and the second that it is of.
    users: HashMap<u64, (f64, f64)>,
}

impl Activeness {
    /// Nobody yet.
    pub fn new(config: ActivenessConfig) -> Self {
        Self { config, users: HashMap::new() }
    }

    /// A user's activeness at a time; a clock that runs backwards leaves it as it was.
    pub fn at(&self, user: u64, now: f64) -> f64 {
        self.users
            .get(&user)
            .map_or(self.config.start, |(s, then)| s * (-self.config.hazard * (now - then).max(0.0)).exp())
    }

    /// Notes that a user came, and says how active that makes him.
    pub fn comes(&mut self, user: u64, now: f64) -> f64 {
        let s = match self.users.contains_key(&user) {
            true => (self.at(user, now) + self.config.per_return).min(1.0),
            false => self.config.start,
        };
        let then = self.users.get(&user).map_or(now, |(_, then)| then.max(now));
        self.users.insert(user, (s, then));
        s
    }

    /// The same settings, and nobody.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self::new(self.config.clone())
    }

    /// The mean over all users that ever came; none before the first.
    pub fn mean(&self, now: f64) -> Option<f64> {
        let mut all: Vec<u64> = self.users.keys().copied().collect();
        all.sort_unstable();
        (!all.is_empty()).then(|| all.iter().map(|user| self.at(*user, now)).sum::<f64>() / all.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: f64 = 86_400.0;

    #[test]
    fn who_comes_daily_settles_where_decay_and_return_balance() {
        let mut activeness = Activeness::new(ActivenessConfig::default());
        let first = activeness.comes(1, 0.0);
        let second = activeness.comes(1, DAY);
        assert!((first - 0.5).abs() < 1e-12 && (second - 0.4973).abs() < 5e-5, "{first} {second}");
        let mut last = second;
        for day in 2..60 {
            last = activeness.comes(1, f64::from(day) * DAY);
        }
        assert!((last - 0.495_81).abs() < 1e-5, "{last}");
        assert!((activeness.at(1, 60.0 * DAY) - 0.175_81).abs() < 1e-5);
    }

    #[test]
    fn it_stays_within_bounds_and_old_clocks_change_nothing() {
        let mut activeness = Activeness::new(ActivenessConfig::default());
        for second in 0..10 {
            assert!(activeness.comes(7, f64::from(second)) <= 1.0);
        }
        let before = activeness.at(7, 9.0);
        assert_eq!(activeness.at(7, 3.0), before);
        assert_eq!(activeness.comes(7, 3.0), (before + 0.32).min(1.0));
        assert!(activeness.at(7, 10.0) < 1.0, "the clock stays at the latest time");
        assert_eq!(activeness.at(8, 5.0), 0.5);
    }
}
