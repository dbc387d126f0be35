//! Rows of users with items of the catalogue.

use crate::batch::{Batch, Keys, NO_ITEM};
use crate::columns::cross;
use crate::config::Transform;
use crate::items::catalogue::{Catalogue, Past};
use crate::items::who::Who;
use crate::schema::{Categorical, CategoricalSource, Numeric, Schema};

impl Catalogue {
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
    pub fn rows_of(&self, schema: &Schema, who: Who<'_>, items: &[u32], past: Past) -> Batch {
        self.rows_like(schema, &self.row_of(schema, who, past), items)
    }

    /// [`Catalogue::rows_of`] a user in two: a row with the user's sequences, and the rows without any.
    pub fn rows_apart(&self, schema: &Schema, who: Who<'_>, items: &[u32], past: Past) -> (Batch, Batch) {
        let one = self.row_of(schema, who, past);
        let mut bare = one.clone();
        for place in schema.sequences() {
            bare.keys[place] = bare.keys[place].none_like(1);
        }
        let rows = self.rows_like(schema, &bare, items);
        (one, rows)
    }

    /// A user's row without an item, or that of nobody: what a file says of the user comes before what training rows said.
    pub fn row_of(&self, schema: &Schema, who: Who<'_>, past: Past) -> Batch {
        let nobody =
            || Batch { rows: 1, keys: self.items.keys.iter().map(|k| k.none_like(1)).collect(), ..Batch::default() };
        let mut one = who.user.map_or_else(nobody, |user| self.users.take(&[user]));
        if one.numeric.is_empty() {
            one.numeric = schema.missing_numbers();
        }
        if let Some(user) = who.user.filter(|_| past.remade) {
            let history = self.history(user, past.sides, past.liked_only);
            let latest = &history[history.len().saturating_sub(past.most)..];
            self.fill_histories(schema, &mut one, latest);
        }
        if let Some((given, row)) = who.given {
            let width = schema.numeric.len();
            // What the file leaves out of a user that is known stays as it is known.
            let told = |keys: &[u64]| who.user.is_none() || keys.iter().any(|key| *key != 0);
            for &place in given.fields.iter().filter(|p| told(given.rows.keys[**p].of_row(row as usize))) {
                one.keys[place] = given.rows.keys[place].take(&[row]);
            }
            for (n, known) in &given.numeric {
                if who.user.is_none() || known[row as usize] {
                    one.numeric[*n] = given.rows.numeric[row as usize * width + n];
                }
            }
            schema.fill_crosses(&mut one);
        }
        one.item = vec![NO_ITEM];
        one
    }

    /// The items that a user did something with, the oldest first: those of the histories that a file gives, else of the rows.
    pub fn history_of(&self, schema: &Schema, who: Who<'_>, sides: usize, liked_only: bool) -> Vec<u32> {
        let id = schema.items.as_ref().map(|items| items.id);
        let of_items = |place: &&usize| {
            let field = &schema.categorical[**place];
            field.sequence.is_some() && id.is_some() && schema.item_field_of(field) == id
        };
        let own: Vec<&[u64]> = who.given.map_or_else(Vec::new, |(given, row)| {
            given.fields.iter().filter(of_items).map(|p| given.rows.keys[*p].of_row(row as usize)).collect()
        });
        if own.iter().all(|keys| keys.is_empty()) {
            return who.user.map_or_else(Vec::new, |user| self.history(user, sides, liked_only));
        }
        own.concat().into_iter().map(|key| self.place(key)).filter(|item| *item != NO_ITEM).collect()
    }

    /// Such a row once an item, with the inputs of these items.
    fn rows_like(&self, schema: &Schema, one: &Batch, items: &[u32]) -> Batch {
        let mut rows = one.take(&vec![0; items.len()]);
        let picks: Vec<Option<u32>> = items.iter().map(|i| Some(*i)).collect();
        self.replace(schema, &mut rows, &picks);
        rows
    }

    fn fill_histories(&self, schema: &Schema, one: &mut Batch, history: &[u32]) {
        for place in schema.sequences() {
            let field = &schema.categorical[place];
            let Some(source) = schema.item_field_of(field).filter(|_| schema.is_remade(place)) else { continue };
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
        self.sequences().into_iter().any(|s| self.is_remade(s))
    }

    /// Whether a sequence can be made again from what users did, and all that go along with it: their positions are the same events.
    fn is_remade(&self, sequence: usize) -> bool {
        let leader = self.categorical[sequence].sequence.map_or(sequence, |s| s.leader);
        self.along_with(leader).into_iter().all(|place| self.item_field_of(&self.categorical[place]).is_some())
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
