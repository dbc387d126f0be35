//! Ids that are seen for the first time: which get rows, and what those start as.

use std::sync::Arc;

use burnrec_features::{Batch, Keys};

use super::{Tables, admit};
use crate::error::EmbeddingError;
use crate::space::{FeatureRows, KeyMap, Space};

/// A new row, with the row of the batch that its id stood in, and the field that it was of.
struct Newcomer {
    row: u32,
    seen: usize,
    feature: usize,
}

impl Tables {
    /// Counts the keys of growing spaces; those that were seen often enough get rows.
    ///
    /// # Errors
    /// More keys than rows can be numbered.
    pub fn admit(&mut self, batch: &Batch) -> Result<(), EmbeddingError> {
        let spaces = Arc::clone(&self.indexer.spaces);
        let mut newcomers = Vec::new();
        for (which, space) in spaces.iter().enumerate().filter(|(_, space)| space.grows) {
            let found = self.admit_to(which, space, batch)?;
            newcomers.extend(found.into_iter().map(|newcomer| (which, newcomer)));
        }
        // Once all have rows: what an id starts as may be new itself, and then starts as what its key says.
        newcomers.iter().for_each(|(which, newcomer)| self.start_as(*which, newcomer, batch));
        Ok(())
    }

    fn admit_to(&mut self, which: usize, space: &Space, batch: &Batch) -> Result<Vec<Newcomer>, EmbeddingError> {
        let growing = &mut self.growing[which];
        let before = self.grown[which];
        let (mut admitted, mut again, mut newcomers) = (Vec::new(), Vec::new(), Vec::new());
        for (slot, &feature) in space.features.iter().chain(&space.sequences).enumerate() {
            let min_count = space.min_count[space.table_of[slot]];
            let (Keys::One(keys) | Keys::Many { keys, .. }) = &batch.keys[feature];
            let starts = !self.indexer.schema.categorical[feature].starts_as.is_empty();
            for (seen, &key) in keys.iter().enumerate().filter(|(_, k)| **k != 0) {
                if growing.rows.contains_key(&key) {
                    continue;
                }
                let admits = if let Some(chance) = self.chance {
                    admit::drawn(chance, self.seed, key, self.step)
                } else if let Some(bloom) = &mut growing.bloom {
                    bloom.see(key) >= min_count
                } else {
                    min_count <= 1 || {
                        let seen = growing.waiting.entry(key).or_insert(0);
                        *seen += 1;
                        *seen >= min_count
                    }
                };
                if !admits && growing.waiting.len() > WAITING {
                    age(&mut growing.waiting, WAITING / 2);
                }
                if admits {
                    growing.waiting.remove(&key);
                    let row = growing.free.pop().inspect(|row| again.push((*row, key))).unwrap_or_else(|| {
                        admitted.push(key);
                        before + admitted.len() as u32 - 1
                    });
                    growing.rows.insert(key, row);
                    if starts {
                        newcomers.push(Newcomer { row, seen, feature });
                    }
                }
            }
        }
        let rows = u64::from(before) + admitted.len() as u64;
        self.grown[which] = u32::try_from(rows).map_err(|_| EmbeddingError::TooManyRows { rows })?;
        self.keep_within_limits(which);
        for table in self.tables.iter_mut().filter(|t| t.space == which) {
            table.grow(before, self.grown[which], &|row| admitted[(row - before) as usize]);
            again.iter().for_each(|(row, key)| table.start(*row, *key));
        }
        Ok(newcomers)
    }

    /// Gives a new row the mean of the vectors that the ids beside it have, in every table that has it.
    fn start_as(&mut self, which: usize, newcomer: &Newcomer, batch: &Batch) {
        let schema = Arc::clone(&self.indexer.schema);
        let beside = schema.categorical[newcomer.feature].starts_as.iter().filter_map(|&field| {
            let Keys::One(keys) = &batch.keys[field] else { return None };
            self.row_of(field, keys[newcomer.seen])
        });
        let beside: Vec<(usize, u32)> = beside.collect();
        for number in 0..self.tables.len() {
            let table = &self.tables[number];
            if table.space != which || beside.is_empty() {
                continue;
            }
            let of = |(space, row): &(usize, u32)| {
                let same = |t: &&crate::table::Table| t.lookup == table.lookup && t.space == *space;
                Some(self.tables.iter().find(same)?.part(*row, row + 1).weights)
            };
            let vectors: Vec<Vec<f32>> = beside.iter().filter_map(of).collect();
            if vectors.is_empty() {
                continue;
            }
            let mut part = table.part(newcomer.row, newcomer.row + 1);
            for (place, weight) in part.weights.iter_mut().enumerate() {
                *weight = vectors.iter().map(|vector| vector[place]).sum::<f32>() / vectors.len() as f32;
            }
            table.restart(&mut part);
            self.tables[number].write(newcomer.row, &part);
        }
    }

    /// The space and row of an id of a field; none where it has no row of its own.
    fn row_of(&self, field: usize, key: u64) -> Option<(usize, u32)> {
        let spaces = self.indexer.spaces.iter().enumerate();
        let (which, space, slot) =
            spaces.filter_map(|(w, s)| s.features.iter().position(|f| *f == field).map(|slot| (w, s, slot))).next()?;
        let row = match &space.tables[space.table_of[slot]].1 {
            FeatureRows::Growing => self.growing[which].rows.get(&key).copied()?,
            FeatureRows::Vocabulary(rows) => rows.get(&key).copied()?,
            FeatureRows::Modulo { .. } => space.row(slot, key),
        };
        (key != 0).then_some((which, row))
    }
}

/// Keys that wait for admission to a space at most.
const WAITING: usize = 1 << 22;

/// Halves what waiting keys were seen, so often until few enough are left: those of long ago, and those seen once, go.
fn age(waiting: &mut KeyMap<u32>, most: usize) {
    while waiting.len() > most {
        waiting.retain(|_, seen| {
            *seen /= 2;
            *seen > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_admission_is_bounded_and_what_was_seen_often_stays() {
        let mut waiting: KeyMap<u32> = (1..=1000).map(|key| (key, 1 + u32::from(key % 10 == 0) * 8)).collect();
        age(&mut waiting, 500);
        assert_eq!(waiting.len(), 100);
        assert!(waiting.iter().all(|(key, seen)| key % 10 == 0 && *seen == 4));
        age(&mut waiting, 50);
        assert!(waiting.is_empty());
    }
}
