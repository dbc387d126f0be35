//! What a setting may be in a sweep.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SweepMethod;
use crate::error::{TrainError, bad};

/// What a setting may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum SweepRange {
    /// One of these.
    Values {
        /// The values, whole tables among them.
        #[schemars(with = "Vec<serde_json::Value>")]
        values: Vec<toml::Value>,
    },
    /// One of several sets of settings.
    Cases {
        /// The sets.
        cases: Vec<SweepCase>,
    },
    /// A number between two others, both included.
    Between {
        /// The lower end.
        low: f64,
        /// The upper end.
        high: f64,
        /// Whether it is drawn evenly on a logarithmic scale.
        #[serde(default)]
        log: bool,
        /// Whether it is a whole number.
        #[serde(default)]
        integer: bool,
    },
}

/// Settings that are changed together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepCase {
    /// What it is called in tables.
    pub name: String,
    /// The settings by their keys, such as `"train.l2" = 0.1`; a table, such as `model = { … }`, stands in place of the whole one.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub set: BTreeMap<String, toml::Value>,
}

impl SweepRange {
    /// The cases of one that has such.
    pub(crate) fn cases(&self) -> &[SweepCase] {
        match self {
            Self::Cases { cases } => cases,
            _ => &[],
        }
    }

    /// The settings that it changes, of one that stands under a key.
    pub(super) fn changes<'a>(&'a self, key: &'a str) -> Vec<&'a str> {
        match self {
            Self::Cases { cases } => cases.iter().flat_map(|case| case.set.keys()).map(String::as_str).collect(),
            _ => vec![key],
        }
    }

    /// How many values it has; none for a range of numbers.
    pub fn places(&self) -> Option<usize> {
        match self {
            Self::Values { values } => Some(values.len()),
            Self::Cases { cases } => Some(cases.len()),
            Self::Between { .. } => None,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.places().unwrap_or(usize::MAX)
    }

    pub(super) fn check(&self, key: &str, method: SweepMethod) -> Result<(), TrainError> {
        match self {
            Self::Values { values } if values.is_empty() => Err(bad(key, "has no values")),
            Self::Cases { cases } if cases.is_empty() => Err(bad(key, "has no cases")),
            Self::Cases { cases } if cases.iter().any(|case| case.set.is_empty()) => {
                Err(bad(key, "has a case that sets nothing; give it set = { … }"))
            }
            Self::Values { .. } | Self::Cases { .. } => Ok(()),
            Self::Between { .. } if method == SweepMethod::Grid => {
                Err(bad(key, "is a range, and a grid needs values = […]"))
            }
            Self::Between { low, high, .. } if !(low.is_finite() && high.is_finite() && low < high) => {
                Err(bad(key, "needs numbers low below high"))
            }
            Self::Between { low, high, .. } if !(high - low).is_finite() => Err(bad(key, "is too wide")),
            Self::Between { low, high, integer: true, .. } if low.fract() != 0.0 || high.fract() != 0.0 => {
                Err(bad(key, "is of whole numbers; give whole ones for low and high"))
            }
            Self::Between { low, log: true, .. } if *low <= 0.0 => Err(bad(key, "needs low above 0 with log = true")),
            Self::Between { .. } => Ok(()),
        }
    }
}
