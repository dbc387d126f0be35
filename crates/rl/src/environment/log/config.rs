//! The settings of a replayed log.

use burnrec_data::DataConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{RlError, bad};

/// A log of impressions. MIND's `behaviors.tsv` becomes one by `[data.explode]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// Column that tells requests apart; rows of one stand together.
    pub request: String,
    /// Column of the user.
    pub user: String,
    /// Column of the item.
    pub item: String,
    /// Column of the event time.
    pub time: String,
    /// Column of the click, 0 or 1.
    pub click: String,
    /// Column of what items are about, such as their category: items of one are alike, for the diversity of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Seconds until a click is known.
    #[serde(default)]
    pub delay_seconds: f64,
}

impl LogConfig {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`RlError::Setting`] naming the key.
    pub fn check(&self, data: Option<&DataConfig>) -> Result<(), RlError> {
        let Some(data) = data else {
            return Err(bad("environment.log", "needs [data]: where the rows come from"));
        };
        data.check()?;
        match self.delay_seconds >= 0.0 && self.delay_seconds.is_finite() {
            true => Ok(()),
            false => Err(bad("environment.log.delay_seconds", "must be at least 0")),
        }
    }

    /// The columns that it reads itself.
    pub(super) fn columns(&self) -> Vec<String> {
        let own = [&self.request, &self.user, &self.item, &self.time, &self.click];
        own.into_iter().chain(&self.about).cloned().collect()
    }
}
