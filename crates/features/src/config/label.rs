//! What a task learns: its label, as `[tasks.NAME]` has it.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

/// How a column becomes a label. A value that is missing is not known: it teaches nothing, and no metric counts it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelConfig {
    /// The label column; `"always"` for logs of what happened alone, in which every row has label 1 and negatives are drawn
    /// (`[features.negatives]`).
    pub column: String,
    /// Label 1 where the value is at least this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Values that mean 1; all others mean 0, unless `negative` lists them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positive: Option<Vec<LabelValue>>,
    /// Values that mean 0; with this, any value in neither list is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative: Option<Vec<LabelValue>>,
    /// Learn the number itself instead of a class.
    pub numeric: bool,
    /// The values of several classes, at least two; any other value is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<LabelValue>>,
    /// Every row has label 1, and no column is read: `label = "always"`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
}

/// What stands in the place of a label's column where every row has 1.
pub(crate) const ALWAYS: &str = "always";

/// A label value as a config writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum LabelValue {
    /// `1`
    Int(i64),
    /// `0.5`
    Float(f64),
    /// `true`
    Bool(bool),
    /// `">50K"`
    Text(String),
}

impl fmt::Display for LabelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(i) => write!(f, "{i}"),
            Self::Float(x) => f.write_str(&serde_json::json!(x).to_string()),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Text(t) => f.write_str(t),
        }
    }
}

/// What the schema reads of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetConfig {
    /// The task's name.
    pub name: String,
    /// The label.
    pub label: LabelConfig,
    /// The rows that the task is of: `click == 1`.
    pub space: Option<String>,
    /// The task, before or behind this one, without whose label 1 this one's is 0.
    pub parent: Option<String>,
    /// Column of what the task's rows weigh.
    pub weight: Option<String>,
}

impl TargetConfig {
    /// A task that learns a column of 0 and 1.
    pub fn of(column: &str) -> Self {
        let label = LabelConfig { column: column.into(), ..LabelConfig::default() };
        Self { name: column.into(), label, ..Self::default() }
    }
}

/// The same fields, for the derived half of [`LabelConfig`]'s reader.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelTable {
    column: String,
    threshold: Option<f64>,
    positive: Option<Vec<LabelValue>>,
    negative: Option<Vec<LabelValue>>,
    #[serde(default)]
    numeric: bool,
    classes: Option<Vec<LabelValue>>,
    #[serde(default)]
    always: bool,
}

/// Takes `"clicked"` for `{ column = "clicked" }`, and keeps the place of an error in either.
impl<'de> Deserialize<'de> for LabelConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = LabelConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column's name or a table with `column = …`")
            }

            fn visit_str<E: de::Error>(self, column: &str) -> Result<LabelConfig, E> {
                Ok(LabelConfig { column: column.into(), always: column == ALWAYS, ..LabelConfig::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LabelConfig, A::Error> {
                let LabelTable { column, threshold, positive, negative, numeric, classes, always } =
                    LabelTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(LabelConfig { column, threshold, positive, negative, numeric, classes, always })
            }
        }
        deserializer.deserialize_any(Either)
    }
}
