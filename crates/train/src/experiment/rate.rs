//! Learning-rate schedules: a factor of every learning rate, by step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// How learning rates change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum RateSchedule {
    /// They stay.
    #[default]
    Constant,
    /// Times `decay` every `steps`, continuously.
    Exponential {
        /// The factor, 0..1.
        decay: f64,
        /// Steps over which it is applied.
        steps: u64,
    },
    /// Times `decay` at once, every `steps`.
    Step {
        /// The factor, 0..1.
        decay: f64,
        /// Steps between falls.
        steps: u64,
    },
    /// Half a cosine from 1 down to `floor` over `steps`, then flat (Loshchilov & Hutter, ICLR 2017).
    Cosine {
        /// Steps to the floor.
        steps: u64,
        /// The last factor, 0..1.
        #[serde(default)]
        floor: f64,
    },
    /// Times `decay` whenever the monitored metric has not improved for `patience` epochs.
    Plateau {
        /// The factor, 0..1.
        decay: f64,
        /// Epochs to wait.
        patience: usize,
    },
}

impl RateSchedule {
    /// Refuses settings that cannot work.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let bad = |key: &str, problem: &str| {
            Err(TrainError::Setting { key: format!("train.schedule.{key}"), problem: problem.to_string() })
        };
        match self {
            Self::Exponential { decay, .. } | Self::Step { decay, .. } | Self::Plateau { decay, .. }
                if !(*decay > 0.0 && *decay <= 1.0) =>
            {
                bad("decay", "must be above 0 and at most 1")
            }
            Self::Exponential { steps: 0, .. } | Self::Step { steps: 0, .. } | Self::Cosine { steps: 0, .. } => {
                bad("steps", "must be at least 1")
            }
            Self::Cosine { floor, .. } if !(0.0..=1.0).contains(floor) => bad("floor", "must lie in 0..=1"),
            _ => Ok(()),
        }
    }

    /// The factor at a step, counted from 0. `plateaus` is how often a plateau was met.
    pub(crate) fn factor(&self, step: u64, warmup: u64, plateaus: u32) -> f64 {
        let rise = if step < warmup { (step + 1) as f64 / warmup as f64 } else { 1.0 };
        let at = step.saturating_sub(warmup) as f64;
        rise * match self {
            Self::Constant => 1.0,
            Self::Exponential { decay, steps } => decay.powf(at / *steps as f64),
            Self::Step { decay, steps } => decay.powf((at / *steps as f64).floor()),
            Self::Cosine { steps, floor } => {
                let part = (at / *steps as f64).min(1.0);
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * part).cos())
            }
            Self::Plateau { decay, .. } => decay.powi(plateaus as i32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(schedule: &RateSchedule, step: u64, warmup: u64, expected: f64) {
        let found = schedule.factor(step, warmup, 0);
        assert!((found - expected).abs() < 1e-12, "{schedule:?} at {step}: {found}");
    }

    #[test]
    fn factors_match_hand_computed_values() {
        near(&RateSchedule::Constant, 0, 4, 0.25);
        near(&RateSchedule::Constant, 3, 4, 1.0);
        near(&RateSchedule::Exponential { decay: 0.25, steps: 10 }, 5, 0, 0.5);
        near(&RateSchedule::Step { decay: 0.5, steps: 10 }, 19, 0, 0.5);
        near(&RateSchedule::Step { decay: 0.5, steps: 10 }, 20, 0, 0.25);
        near(&RateSchedule::Cosine { steps: 10, floor: 0.2 }, 5, 0, 0.6);
        near(&RateSchedule::Cosine { steps: 10, floor: 0.2 }, 99, 0, 0.2);
        assert_eq!(RateSchedule::Plateau { decay: 0.5, patience: 1 }.factor(7, 0, 2), 0.25);
    }
}
