//! What becomes of rows before they are divided: taken apart, joined, given what their users did before.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FormatKind, TextConfig};
use crate::error::DataError;

/// How a row of several items becomes one row an item, in their order. A row without items gives none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplodeConfig {
    /// The column of the items: a list, or text.
    pub column: String,
    /// What stands between two items of text; by default a blank.
    #[serde(default = "blank")]
    pub separator: String,
    /// More columns with a value for each item: `["clicks"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub along: Vec<String>,
    /// What takes an item apart, at its last place: `"-"` for `N123-0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The columns that both parts become: `["item", "clicked"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<Vec<String>>,
    /// Whether an item may lack its second part, as rows that are to be scored do.
    #[serde(skip)]
    pub lenient: bool,
}

fn blank() -> String {
    " ".into()
}

/// A side table, looked up by key for every row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinConfig {
    /// Path of the side table; it is held in memory.
    pub source: String,
    /// The key column, of the same name on both sides.
    pub on: String,
    /// The columns to bring in; all but the key when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// The side table's format; told by its extension when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<FormatKind>,
    /// How a textual side table is read.
    #[serde(default)]
    pub text: TextConfig,
}

/// Histories built from the rows themselves: strictly before each row, by user, before the split is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryConfig {
    /// The user column.
    pub user: String,
    /// The event-time column. Of the rows of one moment none sees another.
    pub time: String,
    /// The new columns and what they collect: `{ history = "item_id", history_genre = "genre" }`. Positions of all are the
    /// same events, the oldest first.
    pub columns: BTreeMap<String, String>,
    /// Events that a row sees at most: the latest.
    #[serde(default = "fifty")]
    pub max_length: usize,
    /// Which rows enter the histories of later ones; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<OnlyConfig>,
}

fn fifty() -> usize {
    50
}

/// Rows with at least a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnlyConfig {
    /// A column of numbers.
    pub column: String,
    /// The least of them.
    pub at_least: f64,
}

impl HistoryConfig {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        let bad = |key: &str, problem: &str| Err(DataError::Setting { key: key.into(), problem: problem.into() });
        match () {
            () if self.columns.is_empty() => {
                bad("history.columns", "is empty; name a column to collect, for example { history = \"item_id\" }")
            }
            () if self.max_length == 0 => bad("history.max_length", "must be at least 1"),
            () if self.only.as_ref().is_some_and(|o| o.at_least.is_nan()) => {
                bad("history.only.at_least", "must be a number")
            }
            () => Ok(()),
        }
    }
}
