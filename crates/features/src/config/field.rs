//! An input field, as `[features.fields]` declares it.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

/// What kind of input a field is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// One id a row.
    #[default]
    Categorical,
    /// Any number of ids a row, pooled to one vector.
    Multi,
    /// Any number of ids a row in order, the oldest first: what a user did before. Only models that read sequences take
    /// it, an id at a time.
    Sequence,
    /// A number.
    Numeric,
    /// A number cut into buckets, then treated as an id.
    Bucket,
    /// The combination of other fields' ids, as one id.
    Cross,
}

/// How a number is scaled; fitted on the training rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// As it is.
    None,
    /// `sign(x)·ln(1 + |x|)`, then z-score.
    Log1p,
    /// `(x - mean) / standard deviation`.
    #[default]
    Zscore,
    /// `(x - min) / (max - min)`.
    MinMax,
    /// The share of training values below x, in 0..1 (Cheng et al. 2016).
    Quantile,
    /// Of a time: how long before the latest training row, from 0 to 1 at the earliest; 0 in evaluation and prediction,
    /// which are about now (the example age of Covington et al. 2016).
    Age,
}

/// How the vectors of a multi-valued field become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The sum.
    Sum,
    /// The sum divided by the number of ids; zeros where there is none.
    #[default]
    Mean,
    /// The largest value of each coordinate; zeros where there is no id.
    Max,
}

/// A part of a moment, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimePart {
    /// The hour of the day, 0 to 23.
    Hour,
    /// The day of the week, 0 to 6 from Monday.
    Weekday,
    /// The day since 1970.
    Day,
}

/// How text of an id column is read, so that `7`, `7.0` and `"7"` can be one id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdKind {
    /// As it stands.
    #[default]
    Text,
    /// As a whole number.
    Int,
    /// As a number; whole numbers lose their fraction.
    Float,
}

/// How keys get rows of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndexPolicy {
    /// The values of the training rows get a row each; others share the unseen row.
    #[default]
    Vocabulary,
    /// `key mod buckets`: bounded memory, ids may collide.
    Modulo,
    /// A row for every key once it was trained on `min_count` times; the table grows, without collisions.
    Growing,
}

/// An input field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldConfig {
    /// What kind of input it is.
    pub kind: FieldKind,
    /// The column it reads; by default the one of the field's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Categorical, multi, sequence: how the text of ids is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<IdKind>,
    /// Categorical: the part of a time column that is the id: `hour`, `weekday` or `day`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<TimePart>,
    /// Multi, sequence: the separator of ids in text columns; by default a space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// Multi: how its vectors become one; by default the mean, and the sum of weighed ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// Multi: a column with one weight an id, as the values of a libsvm line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Numeric: how the number is scaled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transform>,
    /// Numeric: the input where the value is missing, after scaling; by default 0, the mean of a z-score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<f32>,
    /// Numeric: whether its square and its root (0 below 0) are inputs too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub powers: Option<bool>,
    /// Bucket: the lower bounds of all buckets but the first, rising.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boundaries: Option<Vec<f64>>,
    /// Bucket: the number of equally filled buckets, fitted on the training rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<usize>,
    /// Cross: the fields to combine, at least two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<Vec<String>>,
    /// Training rows that a value must appear in; by default `features.min_count`. With `index = "growing"` it counts
    /// sightings while training, every epoch anew: a value of one row is admitted in epoch `min_count`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_count: Option<u32>,
    /// How keys get rows; by default `features.index`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<IndexPolicy>,
    /// Index growing: fields of one id a row, the mean of whose vectors a new id of this field starts from, as a new item
    /// from its category and brand; by default its vector is drawn. An id that is first seen in a history is not described
    /// there, and starts as one that is drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_as: Option<Vec<String>>,
    /// Index modulo: the number of rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<u32>,
    /// The name under which fields share ids and vectors; by default the field's own. A sequence shares the table of the
    /// field that it is a history of: `table = "item_id"`. Fields of one table share everything that ids have, the
    /// first-order weights of linear models too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Sequence: ids of a row that count, the latest; the log says where there are more. Any number when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// Sequence: another sequence that this one has a value for each id of, for example the items that these are the
    /// categories of. A position whose id is missing there is left out here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub along: Option<String>,
    /// Sequence: whether it may hold ids that no row has in the field that it is a history of. They are an error
    /// otherwise, since most often they are ids of another kind; allowed ones are known by the sequence alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<bool>,
}

impl FieldConfig {
    /// How the vectors of a field of several ids become one.
    pub(crate) fn pooled(&self) -> Option<Pooling> {
        let usual = if self.weights.is_some() { Pooling::Sum } else { Pooling::Mean };
        matches!(self.kind, FieldKind::Multi).then(|| self.pooling.unwrap_or(usual))
    }

    /// How a number is scaled.
    pub(crate) fn scaled(&self) -> Option<Transform> {
        matches!(self.kind, FieldKind::Numeric).then(|| self.transform.unwrap_or_default())
    }

    /// With what is meant where nothing is said.
    pub(crate) fn spelled_out(&self) -> Self {
        let (pooling, transform) = (self.pooled().or(self.pooling), self.scaled().or(self.transform));
        Self { pooling, transform, ..self.clone() }
    }
}

/// The same fields, for the derived half of [`FieldConfig`]'s reader.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct FieldTable {
    kind: FieldKind,
    column: Option<String>,
    ids: Option<IdKind>,
    part: Option<TimePart>,
    separator: Option<String>,
    pooling: Option<Pooling>,
    weights: Option<String>,
    transform: Option<Transform>,
    missing: Option<f32>,
    powers: Option<bool>,
    boundaries: Option<Vec<f64>>,
    quantiles: Option<usize>,
    of: Option<Vec<String>>,
    min_count: Option<u32>,
    index: Option<IndexPolicy>,
    starts_as: Option<Vec<String>>,
    buckets: Option<u32>,
    table: Option<String>,
    max_length: Option<usize>,
    along: Option<String>,
    unknown: Option<bool>,
}

impl From<FieldTable> for FieldConfig {
    fn from(t: FieldTable) -> Self {
        Self {
            kind: t.kind,
            column: t.column,
            ids: t.ids,
            part: t.part,
            separator: t.separator,
            pooling: t.pooling,
            weights: t.weights,
            transform: t.transform,
            missing: t.missing,
            powers: t.powers,
            boundaries: t.boundaries,
            quantiles: t.quantiles,
            of: t.of,
            min_count: t.min_count,
            index: t.index,
            starts_as: t.starts_as,
            buckets: t.buckets,
            table: t.table,
            max_length: t.max_length,
            along: t.along,
            unknown: t.unknown,
        }
    }
}

/// Takes `"categorical"` for `{ kind = "categorical" }`, and keeps the place of an error in either.
impl<'de> Deserialize<'de> for FieldConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = FieldConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a kind (`\"categorical\"`, `\"multi\"`, `\"sequence\"`, `\"numeric\"`) or a table with `kind = …`",
                )
            }

            fn visit_str<E: de::Error>(self, kind: &str) -> Result<FieldConfig, E> {
                let kind = FieldKind::deserialize(de::value::StrDeserializer::new(kind))?;
                Ok(FieldConfig { kind, ..FieldConfig::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FieldConfig, A::Error> {
                FieldTable::deserialize(MapAccessDeserializer::new(map)).map(FieldConfig::from)
            }
        }
        deserializer.deserialize_any(Either)
    }
}
