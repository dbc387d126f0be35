//! The items of a data set with what describes them, and what each user did with them.

use std::hash::BuildHasherDefault;

use hashbrown::{HashMap, HashSet};

use crate::batch::{Batch, Keys, NO_ITEM};
use crate::columns::{KeyHasher, cross};
use crate::config::Transform;
use crate::schema::{Categorical, CategoricalSource, Numeric, Schema};

/// Something a user did with an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// The item, by its place in the catalogue.
    pub item: u32,
    /// Whether the row's label says that the user likes it.
    pub liked: bool,
    /// When, in nanoseconds since 1970, where there is a column of times; else 0.
    pub time: i64,
}

/// What of a user's past a history holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// Sides whose rows are past: 1 for train, 2 with valid, 3 with test.
    pub sides: usize,
    /// Whether what was not liked is left out.
    pub liked_only: bool,
    /// The latest this many.
    pub most: usize,
}

/// All items, and all users with what they did.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// One row an item; only the item's own inputs hold something.
    pub items: Batch,
    /// The items' ids as the data has them.
    pub ids: Vec<String>,
    /// Positive training rows of each item.
    pub counts: Vec<u32>,
    /// All training rows of each item.
    pub rows: Vec<u32>,
    /// One row a user, as the user's latest training row has it; the item's inputs are empty.
    pub users: Batch,
    /// The users' ids as the data has them.
    pub user_ids: Vec<String>,
    /// What each user did in train, valid and test, in the order of time.
    pub seen: [Vec<Vec<Seen>>; 3],
    pub(super) places: HashMap<u64, u32, BuildHasherDefault<KeyHasher>>,
    pub(super) user_places: HashMap<String, u32>,
    /// What each user is known to like from the training rows, sorted.
    pub(super) liked: Vec<Vec<u32>>,
    /// The same of all sides.
    pub(super) liked_ever: Vec<Vec<u32>>,
}

impl Catalogue {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The place of the item with this key, or [`NO_ITEM`].
    pub(crate) fn place(&self, key: u64) -> u32 {
        self.places.get(&key).copied().unwrap_or(NO_ITEM)
    }

    /// The place of a user.
    pub fn user(&self, id: &str) -> Option<u32> {
        self.user_places.get(id).copied()
    }

    /// Whether the training rows say that a user likes an item.
    pub(crate) fn likes(&self, user: Option<u32>, item: u32) -> bool {
        user.is_some_and(|u| self.liked[u as usize].binary_search(&item).is_ok())
    }

    /// What the training rows say that a user likes, sorted.
    pub(crate) fn liked(&self, user: Option<u32>) -> &[u32] {
        user.map_or(&[], |u| self.liked[u as usize].as_slice())
    }

    /// Whether any row, of any side, says so.
    pub(crate) fn likes_ever(&self, user: Option<u32>, item: u32) -> bool {
        user.is_some_and(|u| self.liked_ever[u as usize].binary_search(&item).is_ok())
    }

    /// What a user liked, or saw at all, in the training rows and those of later sides, the oldest first: by time where
    /// there is one, else side after side.
    pub fn history(&self, user: u32, sides: usize, liked_only: bool) -> Vec<u32> {
        let of = |side: usize| self.seen[side].get(user as usize).into_iter().flatten();
        let mut all: Vec<&Seen> = (0..sides).flat_map(of).filter(|s| s.liked || !liked_only).collect();
        all.sort_by_key(|seen| seen.time);
        all.into_iter().map(|s| s.item).collect()
    }

    /// The items that are known by themselves: those of at least `min_count` training rows.
    pub fn known(&self, min_count: u32) -> Vec<bool> {
        self.rows.iter().map(|n| *n >= min_count.max(1)).collect()
    }

    /// A catalogue of counts and of what users did, for tests.
    #[cfg(test)]
    pub(crate) fn made(items: Batch, counts: Vec<u32>, train: Vec<Vec<Seen>>) -> Self {
        let (ids, users) = ((0..counts.len()).map(|i| i.to_string()).collect(), train.len());
        let seen = [train, vec![Vec::new(); users], vec![Vec::new(); users]];
        let user_ids = (0..users).map(|u| u.to_string()).collect();
        Self { items, ids, rows: counts.clone(), counts, user_ids, seen, ..Self::default() }.index(0)
    }

    /// The lookups that are made of the rest.
    pub(crate) fn index(mut self, id: usize) -> Self {
        if let Some(Keys::One(keys)) = self.items.keys.get(id) {
            self.places = keys.iter().enumerate().map(|(i, k)| (*k, i as u32)).collect();
        }
        self.user_places = self.user_ids.iter().enumerate().map(|(i, u)| (u.clone(), i as u32)).collect();
        let sorted = |user: usize, sides: &[Vec<Vec<Seen>>]| {
            let all = sides.iter().filter_map(|s| s.get(user)).flatten().filter(|s| s.liked).map(|s| s.item);
            let mut items: Vec<u32> = all.collect::<HashSet<u32>>().into_iter().collect();
            items.sort_unstable();
            items
        };
        let users = 0..self.user_ids.len();
        self.liked = users.clone().map(|u| sorted(u, &self.seen[..1])).collect();
        self.liked_ever = users.map(|u| sorted(u, &self.seen)).collect();
        self
    }

    /// Rows in which the item's inputs are those of other items: row r gets those of `picks[r]`, if there is one.
    pub(crate) fn replace(&self, schema: &Schema, batch: &mut Batch, picks: &[Option<u32>]) {
        let Some(items) = &schema.items else { return };
        for &field in &items.fields {
            batch.keys[field] = splice(&batch.keys[field], &self.items.keys[field], picks);
        }
        let width = schema.numeric.len();
        for (row, item) in picks.iter().enumerate().filter_map(|(r, p)| Some((r, (*p)? as usize))) {
            for &n in &items.numeric {
                batch.numeric[row * width + n] = self.items.numeric[item * width + n];
            }
            batch.item[row] = item as u32;
        }
        schema.fill_crosses(batch);
    }

    /// Rows of these items for a user, as they would be asked for now. Sequences of items or of what describes them hold
    /// what the user did, as `past` says; others are as the user's latest row had them.
    pub fn rows_of(&self, schema: &Schema, user: Option<u32>, items: &[u32], past: Past) -> Batch {
        let one = match user {
            Some(user) => self.users.take(&[user]),
            None => {
                Batch { rows: 1, keys: self.items.keys.iter().map(|k| k.none_like(1)).collect(), ..Batch::default() }
            }
        };
        let mut one =
            Batch { numeric: if one.numeric.is_empty() { schema.missing_numbers() } else { one.numeric }, ..one };
        if let Some(user) = user {
            let history = self.history(user, past.sides, past.liked_only);
            let latest = &history[history.len().saturating_sub(past.most)..];
            self.fill_histories(schema, &mut one, latest);
        }
        one.item = vec![NO_ITEM];
        let mut rows = one.take(&vec![0; items.len()]);
        let picks: Vec<Option<u32>> = items.iter().map(|i| Some(*i)).collect();
        self.replace(schema, &mut rows, &picks);
        rows
    }

    fn fill_histories(&self, schema: &Schema, one: &mut Batch, history: &[u32]) {
        for place in schema.sequences() {
            let field = &schema.categorical[place];
            let Some(source) = schema.item_field_of(field) else { continue };
            let most = field.sequence.and_then(|s| s.max_length).unwrap_or(usize::MAX);
            let latest = &history[history.len().saturating_sub(most)..];
            let keys: Vec<u64> = latest
                .iter()
                .map(|i| self.items.keys[source].of_row(*i as usize).first().copied().unwrap_or(0))
                .collect();
            let offsets = vec![0, keys.len() as u32];
            one.keys[place] = Keys::Many { keys, weights: None, offsets };
        }
    }
}

impl Schema {
    /// Makes the crosses of a batch anew, after some of their fields changed.
    pub(crate) fn fill_crosses(&self, batch: &mut Batch) {
        for (place, field) in self.categorical.iter().enumerate() {
            if let CategoricalSource::Cross { of } = &field.source {
                let members: Vec<&Keys> = of.iter().map(|&m| &batch.keys[m]).collect();
                batch.keys[place] = cross(&members, batch.rows, field.key_seed);
            }
        }
    }

    /// The numeric inputs of a row in which all are missing.
    pub(crate) fn missing_numbers(&self) -> Vec<f32> {
        let age = |n: &Numeric| n.transform == Transform::Age;
        self.numeric.iter().map(|n| if age(n) { 0.0 } else { n.raise(n.missing) }).collect()
    }

    /// Whether some history can be made again from what users did.
    pub fn remakes_histories(&self) -> bool {
        self.sequences().into_iter().any(|s| self.item_field_of(&self.categorical[s]).is_some())
    }

    /// The item's field of one id a row that shares a sequence's table.
    pub(crate) fn item_field_of(&self, sequence: &Categorical) -> Option<usize> {
        let fields = self.items.as_ref().map(|i| i.fields.as_slice()).unwrap_or_default();
        let same =
            |f: &&usize| self.categorical[**f].table == sequence.table && self.categorical[**f].pooling.is_none();
        fields.iter().find(same).copied()
    }
}

/// `from` with the rows that are picked taken from `other`.
fn splice(from: &Keys, other: &Keys, picks: &[Option<u32>]) -> Keys {
    match (from, other) {
        (Keys::One(keys), Keys::One(others)) => {
            Keys::One(keys.iter().zip(picks).map(|(k, p)| p.map_or(*k, |p| others[p as usize])).collect())
        }
        (Keys::Many { .. }, _) => {
            let weights_of = |keys: &Keys| match keys {
                Keys::Many { weights, .. } => weights.clone(),
                Keys::One(_) => None,
            };
            let weights = [weights_of(from), weights_of(other)];
            let mut out = (Vec::new(), weights.iter().any(Option::is_some).then(Vec::new), vec![0]);
            for (row, pick) in picks.iter().enumerate() {
                let (which, source, at) = pick.map_or((0, from, row), |p| (1, other, p as usize));
                let keys = source.of_row(at);
                out.0.extend_from_slice(keys);
                if let (Some(all), Keys::Many { offsets, .. }) = (&mut out.1, source) {
                    let span = offsets[at] as usize..offsets[at + 1] as usize;
                    match &weights[which] {
                        Some(own) => all.extend_from_slice(&own[span]),
                        None => all.resize(all.len() + keys.len(), 1.0),
                    }
                }
                out.2.push(out.0.len() as u32);
            }
            Keys::Many { keys: out.0, weights: out.1, offsets: out.2 }
        }
        (Keys::One(_), Keys::Many { .. }) => from.clone(),
    }
}
