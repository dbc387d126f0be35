//! Inputs of whose ids none has a row of its own.

use burnrec_features::{Batch, IndexPolicy, Keys};

use super::Tables;

/// The ids of each input so far, while none of them is known.
#[derive(Clone, Debug, Default)]
pub struct Strangers(Vec<Option<u64>>);

impl Strangers {
    /// Notes the ids of a batch.
    pub fn see(&mut self, tables: &Tables, batch: &Batch) {
        let schema = tables.schema();
        let fields = &schema.categorical;
        if self.0.is_empty() {
            self.0 = vec![None; fields.len()];
            for space in tables.indexer.spaces.iter() {
                // Any key has a bucket.
                let fitted = space.features.iter().chain(&space.sequences);
                fitted.filter(|f| fields[**f].index != IndexPolicy::Modulo).for_each(|f| self.0[*f] = Some(0));
            }
        }
        for (which, space) in tables.indexer.spaces.iter().enumerate() {
            for (slot, &feature) in space.features.iter().chain(&space.sequences).enumerate() {
                let Some(seen) = self.0[feature] else { continue };
                let (Keys::One(keys) | Keys::Many { keys, .. }) = &batch.keys[feature];
                let unseen = 1 + space.table_of[slot] as u32;
                let known = |key: &u64| match space.grows {
                    true => tables.growing[which].rows.contains_key(key),
                    false => space.row(slot, *key) != unseen,
                };
                let mut ids = keys.iter().filter(|key| **key != 0);
                self.0[feature] = match ids.clone().any(known) {
                    true => None,
                    false => Some(seen + ids.by_ref().count() as u64),
                };
            }
        }
    }

    /// The inputs, by their place in the schema, that have ids of which none is known, and how many those are.
    pub fn found(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.0.iter().enumerate().filter_map(|(field, ids)| Some((field, ids.filter(|n| *n > 0)?)))
    }
}
