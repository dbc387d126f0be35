//! The settings of logged bandit data.

use burnrec_data::DataConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{RlError, bad};

/// A log of single actions with their propensities, a row each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BanditConfig {
    /// Column of the user. Without it every request is of somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Column of the item that was chosen.
    pub item: String,
    /// Column of the event time.
    pub time: String,
    /// Column of the click, 0 or 1.
    pub click: String,
    /// Column of how probable the item was when it was chosen: above 0, at most 1. There is no default: propensities that were
    /// not logged cannot be made up later.
    pub propensity: String,
    /// Columns of what items are, the same wherever an item stands; all others are of the request. They may come by `[[data.join]]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub item_columns: Vec<String>,
    /// Column of lists of the items that could be chosen; without it all items of the log can, always. Those that the log never chose
    /// are left out: nothing is known of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<String>,
    /// Column of what items are about, such as their category: items of one are alike, for the diversity of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Seconds until a click is known.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub delay_seconds: f64,
}

impl BanditConfig {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`RlError::Setting`] naming the key.
    pub fn check(&self, data: Option<&DataConfig>) -> Result<(), RlError> {
        let Some(data) = data else {
            return Err(bad("environment.bandit", "needs [data]: where the rows come from"));
        };
        data.check()?;
        let own = [&self.click, &self.propensity, &self.time];
        let chosen: Vec<&String> = own.into_iter().chain(&self.user).chain(&self.candidates).collect();
        if let Some(column) = self.item_columns.iter().find(|column| chosen.contains(column)) {
            let problem = format!("names `{column}`, which is of the request; remove it");
            return Err(bad("environment.bandit.item_columns", problem));
        }
        match self.delay_seconds >= 0.0 && self.delay_seconds.is_finite() {
            true => Ok(()),
            false => Err(bad("environment.bandit.delay_seconds", "must be at least 0")),
        }
    }

    /// The columns that are read of requests.
    pub(super) fn columns(&self) -> Vec<String> {
        let own = [&self.item, &self.time, &self.click, &self.propensity];
        own.into_iter().chain(&self.user).chain(&self.candidates).chain(&self.about).cloned().collect()
    }

    /// The columns of items.
    pub(super) fn of_items(&self) -> Vec<String> {
        let mut columns = vec![self.item.clone()];
        let more = self.item_columns.iter().chain(&self.about).filter(|column| **column != self.item);
        more.for_each(|column| {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        });
        columns
    }
}
