//! The `[data]` table of an experiment file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::synthetic::{RegressionConfig, SyntheticConfig};
use crate::value::TimeUnit;

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

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormatKind {
    /// Comma-separated values.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// Apache Parquet: a file, a folder, or a folder with `key=value` partitions.
    Parquet,
    /// One JSON object a line.
    Jsonl,
    /// `label index:value …` lines, as libsvm, libfm and SVMlight write them.
    Libsvm,
    /// A description of rows that are generated as they are read.
    Generated,
}

/// How text files are read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TextConfig {
    /// Field delimiter, one character or several such as `::`; by default `,` for CSV and a tab for TSV. With several
    /// there are no quotes, unless `quote` names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Quote character, or `"none"`; by default `"` for CSV and none for TSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// Column names of a file without a header line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
    /// The character that takes the next one's meaning within quotes: `"\\"` for files in which Spark or MySQL wrote a
    /// quote as `\"`. By default a quote is written twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escape: Option<char>,
    /// Cells that are missing values, in every column: `["NA", "\\N"]`. Empty cells always are; of numbers and times
    /// so are NaN, NULL, NA and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null: Option<Vec<String>>,
    /// How the text is written, if not in UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
}

/// How text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Most text of today.
    Utf8,
    /// Excel's Unicode text; its first bytes say in which order its bytes are.
    Utf16,
    /// ISO 8859-1.
    Latin1,
}

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

/// One side of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Rows that weights are fitted on.
    Train,
    /// Rows that early stopping looks at.
    Valid,
    /// Rows that are looked at once, at the end.
    Test,
}

impl Side {
    /// The name used in files: `train`, `valid`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }
}

/// How rows are divided into train, valid and test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum SplitConfig {
    /// Each row by a seeded hash of its place in the file.
    Random {
        /// Share of rows for validation, 0..1.
        valid: f64,
        /// Share of rows for the test, 0..1.
        test: f64,
        /// Seed of the split, apart from the run's seed so that runs compare.
        #[serde(default)]
        seed: u64,
    },
    /// The last rows in the order that they have: of the file, or of time where `sort_by` sorts them.
    Order {
        /// Share of rows for validation, just before the test rows.
        valid: f64,
        /// Share of rows for the test, the last.
        test: f64,
    },
    /// The last rows by event time.
    Time {
        /// The event-time column.
        column: String,
        /// Share of rows for validation, just before the test rows.
        valid: f64,
        /// Share of rows for the test, the latest.
        test: f64,
    },
    /// The last share of each user's rows, by event time (ties by place in the file).
    UserLast {
        /// The user column.
        user: String,
        /// The event-time column.
        time: String,
        /// Share of each user's rows for validation.
        valid: f64,
        /// Share of each user's rows for the test.
        test: f64,
    },
    /// Each user's latest row is the test, the one before it validation.
    LeaveOneOut {
        /// The user column.
        user: String,
        /// The event-time column.
        time: String,
    },
    /// Whole days (UTC) of event time: the last `test_days` are the test, the `valid_days` before them validation.
    Day {
        /// The event-time column.
        column: String,
        /// Days for validation.
        valid_days: u32,
        /// Days for the test.
        test_days: u32,
    },
    /// Files of their own.
    Files {
        /// Path of the validation rows, or `"0.1"`: a share of the training rows, by a seeded hash of their places.
        valid: String,
        /// Path of the test rows.
        test: String,
    },
}

impl SplitConfig {
    /// The columns that it reads.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::Random { .. } | Self::Order { .. } | Self::Files { .. } => Vec::new(),
            Self::Time { column, .. } | Self::Day { column, .. } => vec![column],
            Self::UserLast { user, time, .. } | Self::LeaveOneOut { user, time } => vec![user, time],
        }
    }

    /// Refuses shares that leave nothing to train on.
    ///
    /// # Errors
    /// [`DataError::Setting`] naming the key.
    pub fn check(&self) -> Result<(), DataError> {
        let (Self::Random { valid, test, .. }
        | Self::Order { valid, test }
        | Self::Time { valid, test, .. }
        | Self::UserLast { valid, test, .. }) = self
        else {
            return Ok(());
        };
        match *valid >= 0.0 && *test >= 0.0 && valid + test < 1.0 {
            true => Ok(()),
            false => Err(DataError::Setting {
                key: "split".into(),
                problem: format!(
                    "valid = {valid} and test = {test} must be at least 0 and leave rows to train on (their sum below 1)"
                ),
            }),
        }
    }
}

impl DataConfig {
    /// Rows at a place, read without settings.
    pub fn of(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            format: None,
            text: TextConfig::default(),
            time_unit: None,
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

impl Default for SplitConfig {
    fn default() -> Self {
        Self::Random { valid: 0.1, test: 0.1, seed: 0 }
    }
}
