//! What a model reads and predicts, as a constant: checks, refusals, fixtures and lists are made of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a model predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// A click, a conversion: 0 or 1.
    Binary,
    /// A number.
    Regression,
    /// What a row is worth, such as the time watched: a number of at least 0.
    WatchTime,
    /// One of several classes.
    MultiClass,
}

/// How a model reads sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequences {
    /// Not at all.
    Refused,
    /// As they are, where there are any.
    Pooled,
    /// By what is asked: each needs the field that it is a history of, and there is at least one.
    Asked,
    /// In their order, whatever they are of; there is at least one.
    Ordered,
}

/// What a model learns from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learns {
    /// Rows.
    Rows,
    /// Rows, with a vector an item, so that items can be looked for.
    Items,
    /// Pairs of items, with a vector an item.
    Pairs,
}

/// Which fields a model reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fields {
    /// Whatever is declared.
    All,
    /// One of users and one of items.
    UserAndItem,
    /// The item's alone.
    Item,
    /// The item's, and what describes items.
    Described,
    /// Whatever is declared, one of them the place at which an item was shown.
    Placed,
}

/// How many tasks a model has heads for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heads {
    /// One.
    One,
    /// As many as there are.
    Any,
    /// Several, each but the first hanging on the one before it by `parent`.
    Chain,
    /// Three: an event, one that follows it, and one that follows it by way of the second or not.
    Branches,
}

impl Heads {
    /// Whether probabilities multiply along the tasks, so that there is one given the task before.
    pub fn multiplies(self) -> bool {
        matches!(self, Self::Chain | Self::Branches)
    }
}

/// What a model reads and predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads {
    /// Whether it has weights of single ids, as crosses and the leaves of trees need.
    pub crosses: bool,
    /// Sequences.
    pub sequences: Sequences,
    /// What it learns from.
    pub learns: Learns,
    /// Whether it learns from the leaves of trees, and needs some.
    pub trees: bool,
    /// Which fields.
    pub fields: Fields,
    /// Tasks.
    pub heads: Heads,
    /// What it can predict.
    pub kinds: &'static [TaskKind],
    /// Whether its scores can be what actions are worth in the end, of which an agent learns by what comes next.
    pub looks_ahead: bool,
    /// Whether its tasks part behind what its trunk gives, so that their gradients can be compared there.
    pub cut: bool,
}

impl Reads {
    /// A model of all fields but crosses, whose heads are linear in one vector a row: any tasks.
    pub const TOWER: Self = Self {
        crosses: false,
        sequences: Sequences::Refused,
        learns: Learns::Rows,
        trees: false,
        fields: Fields::All,
        heads: Heads::Any,
        kinds: &[TaskKind::Binary, TaskKind::Regression, TaskKind::WatchTime, TaskKind::MultiClass],
        looks_ahead: false,
        cut: true,
    };

    /// A model of one score with weights of single ids.
    pub const LINEAR: Self = Self {
        crosses: true,
        heads: Heads::One,
        kinds: &[TaskKind::Binary, TaskKind::Regression, TaskKind::WatchTime],
        cut: false,
        ..Self::TOWER
    };

    /// A model of vectors of items.
    pub const ITEMS: Self = Self {
        sequences: Sequences::Pooled,
        learns: Learns::Items,
        heads: Heads::One,
        kinds: &[TaskKind::Binary],
        cut: false,
        ..Self::TOWER
    };

    /// A model of pairs of items.
    pub const PAIRS: Self =
        Self { sequences: Sequences::Refused, learns: Learns::Pairs, fields: Fields::Item, ..Self::ITEMS };

    /// Whether it gives vectors of items, so that items can be looked for.
    pub fn retrieves(&self) -> bool {
        self.learns != Learns::Rows
    }

    /// Whether it learns from pairs of items and not from rows.
    pub fn pairs(&self) -> bool {
        self.learns == Learns::Pairs
    }

    /// Whether it reads sequences.
    pub fn reads_sequences(&self) -> bool {
        self.sequences != Sequences::Refused
    }
}
