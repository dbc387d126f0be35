//! The `[schedule]` table of an experiment file: how a model is kept fresh over a log of events.

use std::collections::BTreeMap;

use burnrec_data::windows::Length;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::calibrate::Calibration;
use crate::error::{TrainError, bad};

/// How a model is kept fresh: the log is cut into windows of event time; a first stretch is trained from scratch, and each
/// window after it is predicted before it is learned from. Every `[schedule.KIND]` that is there is one way to go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Column of the event time.
    pub time: String,
    /// Length of a window, counted from 1970 in UTC: `"1d"`, `"6h"`, `"30m"`.
    #[serde(default = "day")]
    pub window: Length,
    /// Where the first stretch ends: a share of the rows, by time, that it has at most, 0 < start < 1, or a moment such as
    /// `"2024-03-01"`. It ends where a window begins.
    #[serde(default)]
    pub start: Start,
    /// Passes over the rows of a training from scratch. There is no validation side: the next window is what validates.
    #[serde(default = "one")]
    pub epochs: usize,
    /// The model of the first stretch, never touched again: what the others are compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<StaleConfig>,
    /// The weights of the first stretch, followed by a calibration that is refitted on each window once it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<Calibration>,
    /// Each window is learned from once it is over, starting from the current weights and optimiser state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incremental: Option<IncrementalConfig>,
    /// Incremental rounds, and from time to time a full training; the better one on the next window goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combined: Option<CombinedConfig>,
    /// A few rows at a time are predicted, then learned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<OnlineConfig>,
    /// Trained from scratch before each window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<FullConfig>,
    /// Incremental: what a round made is published only if it predicts the next window about as well as what is
    /// published; else it is set aside, and the next round starts from what is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateConfig>,
}

/// `[schedule.gate]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GateConfig {
    /// How much the log-loss on the next window may be above that of the published model, as a share of it.
    pub margin: f64,
    /// Published models that are kept, to go back to.
    pub keep: usize,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self { margin: 0.01, keep: 3 }
    }
}

fn day() -> Length {
    Length::DAY
}

/// Where the first stretch of a schedule ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Start {
    /// Behind a share of the rows.
    Share(f64),
    /// At a moment, in ISO 8601.
    Moment(String),
}

impl Default for Start {
    fn default() -> Self {
        Self::Share(0.5)
    }
}

impl Start {
    /// The moment, in nanoseconds since 1970; none of a share.
    pub fn moment(&self) -> Option<i64> {
        match self {
            Self::Share(_) => None,
            Self::Moment(text) => Some(burnrec_data::value::moment_of(text, None)?.0),
        }
    }
}

fn one() -> usize {
    1
}

/// `[schedule.stale]`: no settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StaleConfig {}

/// `[schedule.incremental]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IncrementalConfig {
    /// Passes over each window; vectors of ids overfit on the second one.
    pub epochs: usize,
    /// A factor of the learning rates; FTRL and RDA have none.
    pub rate: f64,
    /// Share of the rows learned from that are of earlier windows, 0..1, drawn from a uniform sample of all that passed: against
    /// forgetting.
    pub replay: f64,
    /// Rows of that sample.
    pub reservoir: usize,
    /// What the sums of squared gradients that `adagrad` and `rowwise_adagrad` keep of ids are multiplied by before a round, above 0
    /// and at most 1: they only grow otherwise, and what was learned for long hardly moves any more.
    pub decay: f64,
    /// Whether the scales of numbers are fitted anew on each window before it is learned from. What was fitted on the first stretch
    /// stays otherwise, so that a number means the same to weights of all ages; bounds of buckets stay in any case.
    pub refit: bool,
    /// How much of each label is what the model before the round predicts, 0..1: the round then moves it no further than the new
    /// rows ask for. Of tasks of 0 and 1.
    pub distil: f64,
    /// The parts of the dense weights that a round learns, by their names in `dense.safetensors`: `["score"]`; all when absent.
    /// What rests stays as it is to the bit, its optimiser's state too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dense: Option<Vec<String>>,
    /// Parts with a period of their own, by their names in `dense.safetensors` or those of lookups: `{ linear = 7 }` learns the
    /// tables of `linear` in every seventh round alone, and lets them rest to the bit in the others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub every: BTreeMap<String, usize>,
    /// The lookups whose tables a round learns, as `check` names them: `["linear"]`, or `[]` for none; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookups: Option<Vec<String>>,
}

impl Default for IncrementalConfig {
    fn default() -> Self {
        Self {
            epochs: 1,
            rate: 1.0,
            replay: 0.0,
            reservoir: 100_000,
            decay: 1.0,
            refit: false,
            distil: 0.0,
            dense: None,
            lookups: None,
            every: BTreeMap::new(),
        }
    }
}

/// `[schedule.combined]`: rounds as `[schedule.incremental]` has them, full trainings as `[schedule.full]` has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CombinedConfig {
    /// Rounds before a full training.
    pub rounds: usize,
    /// What goes on between full trainings. With `online`, each few rows are predicted, then learned from, as `[schedule.online]`
    /// has it, and a full training takes the place of what stands without a comparison: trees grown daily, say, under
    /// linear weights that learn all the time.
    pub between: Between,
}

/// What goes on between full trainings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Between {
    /// Rounds by window; the full training is kept if it is the better one on the next window.
    #[default]
    Incremental,
    /// A few rows at a time.
    Online,
}

impl Default for CombinedConfig {
    fn default() -> Self {
        Self { rounds: 7, between: Between::Incremental }
    }
}

/// `[schedule.online]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OnlineConfig {
    /// Rows that are predicted, then learned from, at a time.
    pub rows: usize,
    /// A factor of the learning rates; FTRL and RDA have none.
    pub rate: f64,
    /// Further ways, called `online_1h`: what is learned by a few rows at a time reaches what predicts only once in such a time,
    /// as it does where a serving copy is synchronised. What that costs is seen beside `online`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sync: Vec<Length>,
}

impl Default for OnlineConfig {
    fn default() -> Self {
        Self { rows: 1, rate: 1.0, sync: Vec::new() }
    }
}

/// `[schedule.full]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FullConfig {
    /// Only the latest stretch of this length is trained on; all that passed when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Length>,
}

impl ScheduleConfig {
    /// Refuses settings that cannot work by themselves.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let refused = |key: &str, problem: &str| Err(bad(format!("schedule.{key}"), problem));
        let rate = |rate: f64| rate > 0.0 && rate.is_finite();
        let kinds = [
            self.stale.is_some(),
            self.calibrated.is_some(),
            self.incremental.is_some(),
            self.combined.is_some(),
            self.online.is_some(),
            self.full.is_some(),
        ];
        let incremental = self.incremental.clone().unwrap_or_default();
        match self {
            _ if !kinds.contains(&true) => refused(
                "time",
                "needs a way to go on: add [schedule.incremental], [schedule.combined], [schedule.online], [schedule.full], [schedule.calibrated] or [schedule.stale]",
            ),
            _ if matches!(self.start, Start::Share(share) if !(share > 0.0 && share < 1.0)) => {
                refused("start", "must lie between 0 and 1, or be a moment such as \"2024-03-01\"")
            }
            _ if matches!(self.start, Start::Moment(_)) && self.start.moment().is_none() => refused(
                "start",
                "is no moment; write it as \"2024-03-01\" or \"2024-03-01T06:00:00\", or give a share of the rows",
            ),
            _ if self.epochs == 0 => refused("epochs", "must be at least 1"),
            _ if incremental.epochs == 0 => refused("incremental.epochs", "must be at least 1"),
            _ if self.calibrated.as_ref().is_some_and(|own| !(own.prior >= 0.0 && own.prior.is_finite())) => {
                refused("calibrated.prior", "counts rows, and must be at least 0")
            }
            _ if incremental.every.values().any(|n| *n == 0) => {
                refused("incremental.every", "counts rounds, from 1: every = { linear = 7 }")
            }
            _ if !rate(incremental.rate) => refused("incremental.rate", "must be above 0"),
            _ if !(0.0..1.0).contains(&incremental.replay) => {
                refused("incremental.replay", "must lie in 0..1, 1 excluded")
            }
            _ if !(incremental.decay > 0.0 && incremental.decay <= 1.0) => {
                refused("incremental.decay", "must be above 0 and at most 1")
            }
            _ if !(0.0..1.0).contains(&incremental.distil) => {
                refused("incremental.distil", "must lie in 0..1, 1 excluded")
            }
            _ if !(1..=1 << 31).contains(&incremental.reservoir) => {
                refused("incremental.reservoir", "must lie in 1..=2147483648")
            }
            _ if self.gate.as_ref().is_some_and(|gate| !(gate.margin >= 0.0 && gate.margin.is_finite())) => {
                refused("gate.margin", "must be at least 0")
            }
            _ if self.gate.as_ref().is_some_and(|gate| !(1..=1000).contains(&gate.keep)) => {
                refused("gate.keep", "must lie in 1..=1000")
            }
            _ if self.gate.is_some() && self.incremental.is_none() => {
                refused("gate", "judges incremental rounds; add [schedule.incremental]")
            }
            _ if self.combined.as_ref().is_some_and(|c| c.between == Between::Online) && self.online.is_none() => {
                refused("combined.between", "is online, and [schedule.online] is missing: it says how")
            }
            _ if self.combined.as_ref().is_some_and(|c| c.rounds == 0) => {
                refused("combined.rounds", "must be at least 1")
            }
            _ if self.online.as_ref().is_some_and(|o| !(1..=1 << 20).contains(&o.rows)) => {
                refused("online.rows", "must lie in 1..=1048576")
            }
            _ if self.online.as_ref().is_some_and(|o| !rate(o.rate)) => refused("online.rate", "must be above 0"),
            _ => Ok(()),
        }
    }
}
