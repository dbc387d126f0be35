//! How many ids of some rows have no row of their own.

use burnrec_features::{Batch, IndexPolicy, Keys};

use super::Tables;

impl Tables {
    /// The vector of a key of a categorical input, by its place in the schema, in a lookup that reads it; none where the key has no
    /// row of its own.
    pub fn vector_of(&self, lookup: usize, field: usize, key: u64) -> Option<Vec<f32>> {
        // A lookup has a table for each of its spaces.
        let slot_of = |table: &crate::table::Table| {
            let space = &self.indexer.spaces[table.space];
            space.features.iter().chain(&space.sequences).position(|own| *own == field)
        };
        let own = self.tables.iter().filter(|table| table.lookup == lookup);
        let (table, slot) = own.filter_map(|table| Some((table, slot_of(table)?))).next()?;
        let space = &self.indexer.spaces[table.space];
        let row = match space.grows {
            true => *self.growing[table.space].rows.get(&key)?,
            false => Some(space.row(slot, key)).filter(|row| *row != 1 + space.table_of[slot] as u32)?,
        };
        Some(table.part(row, row + 1).weights)
    }

    /// For each categorical input, by its place in the schema, its ids on these rows and how many of them are unknown; inputs any
    /// id of which has a row (`modulo`) are left out.
    pub fn unknown_ids(&self, batch: &Batch) -> Vec<(usize, u64, u64)> {
        let fields = &self.schema().categorical;
        let mut found: Vec<(usize, u64, u64)> = Vec::new();
        for (which, space) in self.indexer.spaces.iter().enumerate() {
            for (slot, &field) in space.features.iter().chain(&space.sequences).enumerate() {
                if fields[field].index == IndexPolicy::Modulo || found.iter().any(|(known, ..)| *known == field) {
                    continue;
                }
                let (Keys::One(keys) | Keys::Many { keys, .. }) = &batch.keys[field];
                let unseen = 1 + space.table_of[slot] as u32;
                let known = |key: u64| match space.grows {
                    true => self.growing[which].rows.contains_key(&key),
                    false => space.row(slot, key) != unseen,
                };
                let ids = || keys.iter().copied().filter(|key| *key != 0);
                found.push((field, ids().count() as u64, ids().filter(|key| !known(*key)).count() as u64));
            }
        }
        found
    }
}
