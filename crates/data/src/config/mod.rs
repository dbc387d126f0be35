//! The `[data]` table of an experiment file.

mod rows;
mod split;
mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::synthetic::{RegressionConfig, SyntheticConfig};
use crate::value::TimeUnit;

pub use rows::{ExplodeConfig, HistoryConfig, JoinConfig, OnlyConfig};
pub use split::{Side, SplitConfig};
pub use text::{Encoding, FormatKind, TextConfig};

/// Where the rows come from and how they are split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// A public data set (`burnrec data list`), `"synthetic"`, `"regression"`, or the path of a file or folder.
    pub source: String,
    /// The file format; told by the extension when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<FormatKind>,
    /// How text files are read.
    #[serde(default)]
    pub text: TextConfig,
    /// What whole numbers of time columns count since 1970 (`"seconds"`, `"milliseconds"`, `"microseconds"`,
    /// `"nanoseconds"`, or `"dates"` for days as 20240305); told by their size when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_unit: Option<TimeUnit>,
    /// Whether encoded rows are kept as Arrow files in `.burnrec-cache` beside the data, so that later epochs and runs read those in the
    /// place of the data; with them what the encoder was fitted to, so that later runs need not read all rows before their first step. A file is of the
    /// data's files, the config and the fit: where any of them changes, another is written.
    /// The folder may be removed at any time; what nothing has read for 30 days is removed when another file is written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cache: bool,
    /// Sort all rows by this event-time column before use; file order when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort_by: Option<String>,
    /// One row for every item of rows that have several: impressions with a flag an item, lines of a user and items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explode: Option<ExplodeConfig>,
    /// libsvm and libfm lines: fields by ranges of indices, both ends included: `{ user = [0, 942], item = [943, 2624] }`.
    /// Each becomes a column of lists, and `NAME_values` beside it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields_by_index: BTreeMap<String, [u64; 2]>,
    /// Side tables joined by a key column, for example users and items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub join: Vec<JoinConfig>,
    /// What each row's user did before it, as more columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryConfig>,
    /// How rows are divided into train, valid and test.
    #[serde(default)]
    pub split: SplitConfig,
    /// What to generate when `source = "synthetic"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthetic: Option<SyntheticConfig>,
    /// What to generate when `source = "regression"`, as it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regression: Option<RegressionConfig>,
}

impl DataConfig {
    /// Rows at a place, read without settings.
    pub fn of(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            format: None,
            text: TextConfig::default(),
            time_unit: None,
            cache: false,
            sort_by: None,
            explode: None,
            fields_by_index: BTreeMap::new(),
            join: Vec::new(),
            history: None,
            split: SplitConfig::default(),
            synthetic: None,
            regression: None,
        }
    }

    /// Makes relative places absolute: those of the working folder, else those beside `base`. What is at neither stays as
    /// it is written, and so do names that `is_name` knows.
    pub fn place(&mut self, base: &std::path::Path, is_name: impl Fn(&str) -> bool) {
        let place = |written: &mut String| {
            let path = std::path::Path::new(&*written);
            let found = [path.to_path_buf(), base.join(path)].into_iter().find(|p| p.exists());
            let found = found.filter(|_| path.is_relative()).and_then(|p| std::path::absolute(p).ok());
            if let Some(text) = found.as_deref().and_then(std::path::Path::to_str) {
                *written = text.to_string();
            }
        };
        if self.source != "synthetic" && self.source != "regression" && !is_name(&self.source) {
            place(&mut self.source);
        }
        self.join.iter_mut().for_each(|join| place(&mut join.source));
        if let SplitConfig::Files { valid, test } = &mut self.split {
            place(valid);
            place(test);
        }
    }

    /// Every check that needs no data.
    ///
    /// # Errors
    /// [`DataError::Setting`] naming the key.
    pub fn check(&self) -> Result<(), DataError> {
        self.split.check()?;
        self.history.as_ref().map_or(Ok(()), HistoryConfig::check)?;
        let by_user = matches!(self.split, SplitConfig::UserLast { .. } | SplitConfig::LeaveOneOut { .. });
        let files = matches!(self.split, SplitConfig::Files { .. });
        let bad = |key: &str, problem: &str| Err(DataError::Setting { key: key.into(), problem: problem.into() });
        match (&self.synthetic, self.text.quote.as_deref()) {
            _ if files && self.history.is_some() => bad(
                "history",
                "does not go over files of their own: their rows would start without a past; put all rows into one source and split it by time, or give the histories as columns",
            ),
            _ if by_user && self.explode.is_some() => bad(
                "explode",
                "keeps the items of a row together, which a split of each user's last rows takes apart; split by time, day, order or random, or write one row an item",
            ),
            _ if self.regression.is_some() && self.source != "regression" => {
                bad("regression", "goes with source = \"regression\" only")
            }
            _ if self.source == "regression" => self.regression.as_ref().map_or(Ok(()), RegressionConfig::check),
            (Some(_), _) if self.source != "synthetic" => bad("synthetic", "goes with source = \"synthetic\" only"),
            (_, Some(q)) if q != "none" && q.chars().count() > 1 => {
                bad("text.quote", "must be one character, or \"none\"")
            }
            (_, Some("none" | "")) if self.text.escape.is_some() => {
                bad("text.escape", "goes with quotes, and text.quote says that there are none; remove one of them")
            }
            (Some(synthetic), _) => synthetic.check(),
            _ => Ok(()),
        }
    }
}
