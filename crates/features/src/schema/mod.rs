//! The checked form of `[features]`: which categorical and numeric inputs there are, in a fixed order.

mod categorical;
mod check;
mod condition;
mod fields;
mod items;
mod target;

use burnrec_data::Source;

use crate::config::{FeaturesConfig, FieldKind, TargetConfig, Transform, TreesConfig};
use crate::error::{FeatureError, bad};

pub use categorical::{Categorical, CategoricalSource, Numeric, Sequence};
use check::{check_tables, find_starts, follow_leaders, refuse_strays};
pub(crate) use condition::{Compare, Condition, Of};
use fields::{cross, leaves, numbers, single};
pub use items::Items;
pub use target::Target;
pub(crate) use target::{Rule, in_order};

/// Every input of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// Inputs that look vectors up: columns first, crosses behind them, each by name.
    pub categorical: Vec<Categorical>,
    /// Inputs that are numbers, by name.
    pub numeric: Vec<Numeric>,
    /// What is learned, a task each.
    pub targets: Vec<Target>,
    /// Column of sample weights.
    pub weight: Option<String>,
    /// Column of groups.
    pub group: Option<String>,
    /// What is of the item.
    pub items: Option<Items>,
    /// Trees, and the input of their leaves.
    pub trees: Option<(TreesConfig, usize)>,
}

impl Schema {
    /// Checks `[features]` and what tasks learn by themselves.
    ///
    /// # Errors
    /// [`FeatureError::Setting`] naming the key.
    pub fn new(config: &FeaturesConfig, tasks: &[TargetConfig]) -> Result<Self, FeatureError> {
        if config.fields.is_empty() {
            return Err(bad("features.fields", "is empty; name at least one input field"));
        }
        if config.min_count == 0 {
            return Err(bad("features.min_count", "must be at least 1"));
        }
        let targets = target::targets(tasks)?;
        let is_label = |column: &String| targets.iter().any(|target| target.column == *column);
        let (mut categorical, mut numeric, mut crosses) = (Vec::new(), Vec::new(), Vec::new());
        for (name, field) in &config.fields {
            refuse_strays(name, field)?;
            let column = field.column.clone().unwrap_or_else(|| name.clone());
            let reads = field.weights.iter().chain([&column]).find(|c| is_label(c));
            if let Some(column) = reads.filter(|_| field.kind != FieldKind::Cross) {
                return Err(bad(
                    format!("features.fields.{name}"),
                    format!(
                        "reads column `{column}`, which is the label: the model would be told the answer; remove the field"
                    ),
                ));
            }
            match field.kind {
                FieldKind::Numeric => numeric.extend(numbers(name, field, &column)),
                FieldKind::Cross => crosses.push((name, field)),
                _ => categorical.push(single(config, name, field, column)?),
            }
        }
        let columns = categorical.len();
        for (name, field) in crosses {
            let cross = cross(config, name, field, &categorical[..columns])?;
            categorical.push(cross);
        }
        follow_leaders(config, &mut categorical)?;
        check_tables(&categorical)?;
        find_starts(config, &mut categorical)?;
        if config.weight.as_ref().is_some_and(is_label) {
            return Err(bad("features.weight", "is the label's column; rows would weigh by their answer"));
        }
        if config.group.as_ref().is_some_and(is_label) {
            return Err(bad("features.group", "is the label's column; a group would hold one answer"));
        }
        let trees = leaves(config, &mut categorical, &targets)?;
        let items = items::items(config, &mut categorical, &numeric, &targets)?;
        let (weight, group) = (config.weight.clone(), config.group.clone());
        Ok(Self { categorical, numeric, targets, weight, group, items, trees })
    }

    /// The same, with what the numbers that are labels must lie between, and for whom, a task each.
    #[must_use]
    pub fn limited(mut self, limits: Vec<Option<(f32, f32, &'static str)>>) -> Self {
        self.targets.iter_mut().zip(limits).for_each(|(target, limits)| target.limits = limits);
        self
    }

    /// The task whose label above 0 means that the user liked the item.
    pub fn liked(&self) -> usize {
        self.items.as_ref().map_or(0, |items| items.liked)
    }

    /// For each task whether rows of items that are drawn are known to have 0 in it: the task of what users like, and those that
    /// follow it. Of others a drawn row says nothing.
    pub fn zero_where_drawn(&self) -> Vec<bool> {
        let liked = self.liked();
        let follows = |task: usize| {
            let chain = std::iter::successors(Some(task), |at| self.targets[*at].parent);
            chain.take(self.targets.len()).any(|at| at == liked)
        };
        (0..self.targets.len()).map(follows).collect()
    }

    /// Checks that a source has the columns, and with the right types.
    ///
    /// # Errors
    /// The first column that is not there.
    pub fn check_columns(&self, source: &dyn Source, with_label: bool) -> Result<(), FeatureError> {
        for column in self.columns(with_label) {
            source.column(&column)?;
        }
        // Whoever has such a column may mean it.
        match self.targets.iter().find(|target| !target.has_column() && source.column(&target.column).is_ok()) {
            Some(target) => Err(bad(
                format!("tasks.{}.label", target.name),
                "is \"always\", which means label 1 on every row, and the data has a column of this name; write { column = \"always\" } for the column, or rename it",
            )),
            None => Ok(()),
        }
    }

    /// The columns to read, each once.
    pub fn columns(&self, with_label: bool) -> Vec<String> {
        let mut columns: Vec<String> = Vec::new();
        let mut add = |name: &String| {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        };
        (0..self.categorical.len()).for_each(|place| self.columns_of(place).into_iter().for_each(&mut add));
        // How old a row is counts in training alone.
        self.numeric.iter().filter(|n| with_label || n.transform != Transform::Age).for_each(|n| add(&n.column));
        if with_label {
            for target in &self.targets {
                if target.has_column() {
                    add(&target.column);
                }
                target.weight.iter().for_each(&mut add);
                target.space.iter().for_each(|condition| match &condition.of {
                    Of::Column(column) => add(column),
                    Of::Task(_) => {}
                });
            }
            self.weight.iter().for_each(&mut add);
            self.items.iter().for_each(|i| add(&i.user));
            self.items.iter().filter_map(|i| i.time.as_ref()).for_each(&mut add);
        }
        self.group.iter().for_each(&mut add);
        columns
    }

    /// The columns that a categorical input is read from.
    pub fn columns_of(&self, place: usize) -> Vec<&String> {
        match &self.categorical[place].source {
            CategoricalSource::One { column, .. }
            | CategoricalSource::Time { column, .. }
            | CategoricalSource::Bucket { column, .. } => vec![column],
            CategoricalSource::Many { column, weights, .. } => std::iter::once(column).chain(weights).collect(),
            CategoricalSource::Cross { .. } | CategoricalSource::Drawn | CategoricalSource::Leaves => Vec::new(),
        }
    }

    /// The places of the categorical inputs of columns that are not of the item.
    pub fn user_fields(&self) -> Vec<usize> {
        let of_item = |place: &usize| self.items.as_ref().is_some_and(|i| i.fields.contains(place));
        (0..self.categorical.len()).filter(|p| !of_item(p) && !self.columns_of(*p).is_empty()).collect()
    }

    /// The places of the numeric inputs that are not of the item; how old a row is counts in training alone.
    pub fn user_numeric(&self) -> Vec<usize> {
        let of_item = |n: &usize| self.items.as_ref().is_some_and(|i| i.numeric.contains(n));
        (0..self.numeric.len()).filter(|n| !of_item(n) && self.numeric[*n].transform != Transform::Age).collect()
    }

    /// The places of the categorical inputs of columns, except sequences.
    pub fn columns_only(&self) -> Vec<usize> {
        let leaves = self.trees.as_ref().map(|t| t.1);
        self.slots().into_iter().filter(|&i| !self.is_cross(i) && Some(i) != leaves).collect()
    }

    /// The places of the categorical inputs that give one vector a row: all but sequences and what is drawn.
    pub fn slots(&self) -> Vec<usize> {
        (0..self.categorical.len()).filter(|&i| self.categorical[i].sequence.is_none() && !self.is_drawn(i)).collect()
    }

    /// The places of the sequences, except of what is drawn.
    pub fn sequences(&self) -> Vec<usize> {
        (0..self.categorical.len()).filter(|&i| self.categorical[i].sequence.is_some() && !self.is_drawn(i)).collect()
    }

    /// Whether the categorical input at this place is drawn, and not of a column.
    pub fn is_drawn(&self, place: usize) -> bool {
        self.categorical[place].source == CategoricalSource::Drawn
    }

    /// The sequences that say which positions there are; those of others are theirs.
    pub fn groups(&self) -> Vec<usize> {
        let leads = |&i: &usize| self.categorical[i].sequence.is_some_and(|s| s.leader == i);
        self.sequences().into_iter().filter(leads).collect()
    }

    /// The place of the field that a sequence is a history of: of one id a row, of the sequence's table, called like the
    /// table or the only one there is.
    pub fn candidate_of(&self, sequence: usize) -> Option<usize> {
        let all = self.candidates_of(sequence);
        let table = &self.categorical[sequence].table;
        let named = all.iter().copied().find(|c| self.categorical[*c].name == *table);
        named.or(if all.len() == 1 { all.first().copied() } else { None })
    }

    /// The places of all fields of one id a row that share a sequence's table.
    pub fn candidates_of(&self, sequence: usize) -> Vec<usize> {
        let table = &self.categorical[sequence].table;
        let shares = |c: &usize| self.categorical[*c].table == *table && self.categorical[*c].pooling.is_none();
        self.columns_only().into_iter().filter(shares).collect()
    }

    /// The columns of what is of the item.
    pub fn item_columns(&self) -> Vec<String> {
        let Some(items) = &self.items else { return Vec::new() };
        let mut columns: Vec<String> = Vec::new();
        for place in &items.fields {
            match &self.categorical[*place].source {
                CategoricalSource::One { column, .. }
                | CategoricalSource::Time { column, .. }
                | CategoricalSource::Bucket { column, .. } => columns.push(column.clone()),
                CategoricalSource::Many { column, weights, .. } => {
                    columns.push(column.clone());
                    columns.extend(weights.clone());
                }
                _ => {}
            }
        }
        columns.extend(items.numeric.iter().map(|n| self.numeric[*n].column.clone()));
        let mut seen = std::collections::HashSet::new();
        columns.retain(|c| seen.insert(c.clone()));
        columns
    }

    /// The column of the items' ids.
    pub fn item_column(&self) -> Option<&str> {
        match &self.categorical[self.items.as_ref()?.id].source {
            CategoricalSource::One { column, .. } => Some(column),
            _ => None,
        }
    }

    /// Whether the categorical input at this place has any number of ids a row.
    pub fn is_list(&self, place: usize) -> bool {
        let field = &self.categorical[place];
        field.pooling.is_some() || field.sequence.is_some()
    }

    /// Whether the categorical input at this place is a cross.
    pub fn is_cross(&self, place: usize) -> bool {
        matches!(self.categorical[place].source, CategoricalSource::Cross { .. })
    }
}
