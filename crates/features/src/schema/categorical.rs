//! The inputs of a model, checked.

use crate::config::{IdKind, IndexPolicy, Pooling, TimePart, Transform};

/// A categorical input.
#[derive(Clone, Debug, PartialEq)]
pub struct Categorical {
    /// The field's name.
    pub name: String,
    /// Seed of its keys: fields of one table have one seed.
    pub key_seed: u64,
    /// What it reads.
    pub source: CategoricalSource,
    /// How its vectors become one; none for fields of one id a row.
    pub pooling: Option<Pooling>,
    /// How keys get rows.
    pub index: IndexPolicy,
    /// The fields whose vectors a new id starts from, by their place in [`super::Schema::categorical`].
    pub starts_as: Vec<usize>,
    /// Rows under [`IndexPolicy::Modulo`].
    pub buckets: u32,
    /// Training rows that a value must appear in.
    pub min_count: u32,
    /// The table's name.
    pub table: String,
    /// What makes it a sequence; none for other fields.
    pub sequence: Option<Sequence>,
}

/// A field of ids in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Ids that a row may have.
    pub max_length: Option<usize>,
    /// The sequence that says which positions there are, by its place in [`super::Schema::categorical`]: this one itself, or
    /// the one it goes along with.
    pub leader: usize,
    /// Whether it may hold ids that the field it is a history of does not have.
    pub unknown: bool,
}

/// What a categorical input reads.
#[derive(Clone, Debug, PartialEq)]
pub enum CategoricalSource {
    /// One id of a column.
    One {
        /// The column.
        column: String,
        /// How its text is read.
        ids: IdKind,
    },
    /// A part of a moment.
    Time {
        /// The column.
        column: String,
        /// The part.
        part: TimePart,
    },
    /// Several ids of a column.
    Many {
        /// The column.
        column: String,
        /// How its text is read.
        ids: IdKind,
        /// Separator in text columns.
        separator: String,
        /// Column of weights.
        weights: Option<String>,
    },
    /// A number of a column, cut at bounds.
    Bucket {
        /// The column.
        column: String,
        /// Given bounds.
        boundaries: Vec<f64>,
        /// Equally filled buckets to fit instead.
        quantiles: Option<usize>,
    },
    /// Other categorical inputs, by their place in [`super::Schema::categorical`].
    Cross {
        /// The places.
        of: Vec<usize>,
    },
    /// No column: it is drawn.
    Drawn,
    /// No column: the leaves of trees.
    Leaves,
}

/// A numeric input.
#[derive(Clone, Debug, PartialEq)]
pub struct Numeric {
    /// The input's name.
    pub name: String,
    /// The field it is of.
    pub field: String,
    /// The column it reads.
    pub column: String,
    /// How it is scaled.
    pub transform: Transform,
    /// The input where the value is missing.
    pub missing: f32,
    /// The power of the scaled value that it is; ½ is 0 below 0.
    pub power: f32,
}

impl Numeric {
    /// A scaled value to this input's power.
    pub(crate) fn raise(&self, x: f32) -> f32 {
        match self.power {
            0.5 => x.max(0.0).sqrt(),
            2.0 => x * x,
            _ => x,
        }
    }
}
