//! All tables of a model.

mod admit;
mod checkpoint;
mod evict;
mod gather;
mod newcomers;
mod packing;
mod placement;
mod strangers;
mod summary;
mod unseen;
mod update;

pub use admit::Admission;
pub(crate) use admit::Bloom;
pub use evict::Eviction;
pub use packing::{DeviceGradient, Packing, Uploaded};
pub use strangers::Strangers;
pub use update::{Gradients, Update};

use std::sync::Arc;

use burnrec_features::{Batch, Schema, Vocabulary, stream_seed};
use rayon::prelude::*;

use crate::error::EmbeddingError;
use crate::lookups::Slots;
use crate::optimizer::SparseOptimizer;
use crate::placement::TableDevice;
use crate::space::{FeatureRows, Growing, Indexer, Space, SpaceBatch};
use crate::table::{Columns, Place, ROWS_A_MOVE, RowsPart, Shard, Table};

/// The gathered vectors of a batch.
pub struct Gathered {
    /// One leaf a lookup: `[B, slots, dim]` row by row.
    pub leaves: Vec<Vec<f32>>,
    /// The sequences of each lookup: `[positions, dim]` each.
    pub sequences: Vec<Vec<Vec<f32>>>,
    /// One entry a table: who won each maximum, `[B, slots, dim]`; empty without max pooling.
    pub(crate) winners: Vec<Vec<u32>>,
}

impl Gathered {
    /// The leaf of a lookup, which is gone then; padded with zeros to `length`.
    pub fn take(&mut self, lookup: usize, length: usize) -> Vec<f32> {
        let mut leaf = std::mem::take(&mut self.leaves[lookup]);
        leaf.resize(length, 0.0);
        leaf
    }
}

/// Size of one lookup's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableFacts {
    /// Rows that hold an id.
    pub rows: u64,
    /// Floats of weights.
    pub floats: u64,
    /// Floats of weights that are not zero.
    pub non_zero: u64,
    /// Bytes of weights and optimiser state.
    pub bytes: u64,
}

/// The tables of a model, each in host memory or on a device.
pub struct Tables {
    pub(crate) indexer: Indexer,
    pub(crate) growing: Vec<Growing>,
    pub(crate) grown: Vec<u32>,
    pub(crate) tables: Vec<Table>,
    pub(crate) slot_order: Vec<Vec<usize>>,
    /// Runs of sums of squares: the place behind all slots of the lookup's leaf, the slot that it is of, and how many there are.
    squares: Vec<Vec<(usize, usize, usize)>>,
    /// Slots of each lookup's leaf, those of squares included.
    leaf_slots: Vec<usize>,
    pub(crate) dims: Vec<usize>,
    /// Sequences of each lookup.
    pub(crate) sequences: Vec<usize>,
    step: u64,
    /// The chance of a new id to get a row when it is seen; none where sightings are counted. And the seed of the draws.
    chance: Option<f64>,
    seed: u64,
    pub(crate) device: Option<TableDevice>,
}

impl Tables {
    /// Tables for a model's lookups, every row at its first value.
    ///
    /// # Errors
    /// More rows than can be numbered.
    pub fn new(
        schema: Arc<Schema>,
        slots: &Slots,
        vocabularies: &[Vocabulary],
        default: &SparseOptimizer,
        seed: u64,
        device: Option<&TableDevice>,
    ) -> Result<Self, EmbeddingError> {
        let mut tables = Self::without_rows(Indexer::new(schema, slots, vocabularies)?, slots, default, seed);
        tables.place(device);
        tables.fill_fixed_rows();
        Ok(tables)
    }

    pub(crate) fn without_rows(indexer: Indexer, slots: &Slots, default: &SparseOptimizer, seed: u64) -> Self {
        let (mut tables, mut slot_order, mut squares, mut leaf_slots) = (vec![], vec![], vec![], vec![]);
        for (number, lookup) in slots.0.iter().enumerate() {
            let uses = |space: &Space| space.features.iter().chain(&space.sequences).all(|f| lookup.uses(*f));
            let mut order = Vec::new();
            for (which, space) in indexer.spaces.iter().enumerate().filter(|(_, s)| uses(s)) {
                let columns = Columns { first: order.len(), count: space.features.len(), total: 0 };
                order.extend(&space.features);
                let at = |s: &usize| lookup.sequences.iter().position(|l| l == s).unwrap_or(0);
                let sequences = space.sequences.iter().map(at).collect();
                let place = Place { space: which, lookup: number, columns, sequences, fixed: !space.grows };
                tables.push(Table::new(place, lookup, default, stream_seed(seed, lookup.name, 0)));
            }
            let (mut total, mut squared) = (order.len(), Vec::new());
            for table in tables.iter_mut().filter(|t: &&mut Table| t.lookup == number) {
                let Columns { first, count, .. } = table.columns;
                if !(first..first + count).any(|slot| lookup.squares.contains(&order[slot])) {
                    continue;
                }
                // Slots of one id and of a maximum come along: their square is that of the slot, so that they have no pairs.
                table.squares = Some(total);
                squared.push((total - order.len(), first, count));
                total += count;
            }
            let own = tables.iter_mut().filter(|t| t.lookup == number);
            own.for_each(|table| table.columns.total = total);
            leaf_slots.push(total);
            slot_order.push(order);
            squares.push(squared);
        }
        let growing = indexer.spaces.iter().map(|_| Growing::default()).collect();
        let grown = indexer.spaces.iter().map(|s| s.rows).collect();
        let dims = slots.0.iter().map(|l| l.dim).collect();
        let sequences = slots.0.iter().map(|l| l.sequences.len()).collect();
        Self {
            indexer,
            growing,
            grown,
            tables,
            slot_order,
            squares,
            leaf_slots,
            dims,
            sequences,
            step: 0,
            chance: None,
            seed,
            device: None,
        }
    }

    fn fill_fixed_rows(&mut self) {
        for (which, space) in self.indexer.spaces.iter().enumerate() {
            let keys = keys_by_row(space, &self.growing[which], self.grown[which]);
            for table in self.tables.iter_mut().filter(|t| t.space == which) {
                table.grow(0, space.rows, &|row| keys.get(row as usize).copied().unwrap_or(0));
            }
        }
    }

    /// Takes over the weights of another model's lookup, row by row; optimiser state starts from
    /// them. False where the two
    /// do not have the same rows.
    #[must_use]
    pub fn adopt(&mut self, lookup: usize, other: &Self, of: usize) -> bool {
        let own: Vec<usize> = (0..self.tables.len()).filter(|t| self.tables[*t].lookup == lookup).collect();
        let theirs: Vec<&Table> = other.tables.iter().filter(|t| t.lookup == of).collect();
        let keys =
            |all: &Self, space: usize| keys_by_row(&all.indexer.spaces[space], &all.growing[space], all.grown[space]);
        let same = |own: &Table, their: &Table| {
            own.layout.dim == their.layout.dim && keys(self, own.space) == keys(other, their.space)
        };
        if own.len() != theirs.len() || !own.iter().zip(&theirs).all(|(o, t)| same(&self.tables[*o], t)) {
            return false;
        }
        for (place, their) in own.into_iter().zip(theirs) {
            let rows = self.grown[self.tables[place].space];
            let weights = their.part(0, rows).weights;
            let mut part = RowsPart { weights, ..self.tables[place].part(0, rows) };
            self.tables[place].restart(&mut part);
            self.tables[place].write(0, &part);
        }
        true
    }

    /// The categorical inputs in the order of a lookup's slots.
    pub fn slot_order(&self, lookup: usize) -> &[usize] {
        &self.slot_order[lookup]
    }

    pub(crate) fn lookups(&self) -> usize {
        self.dims.len()
    }

    /// What the columns mean.
    pub fn schema(&self) -> &Schema {
        &self.indexer.schema
    }

    /// Width of a lookup's vectors.
    pub fn dim(&self, lookup: usize) -> usize {
        self.dims[lookup]
    }

    /// Slots of a lookup's leaf, those of squares included: one of zeros where it has no fields.
    pub fn leaf_slots(&self, lookup: usize) -> usize {
        self.leaf_slots[lookup].max(1)
    }

    /// Runs of sums of squares: the place behind all slots of the lookup's leaf, the slot that it is of, and how many there are.
    pub fn squares(&self, lookup: usize) -> &[(usize, usize, usize)] {
        &self.squares[lookup]
    }

    /// The key → row half that the loader's thread uses.
    pub fn indexer(&self) -> Indexer {
        self.indexer.clone()
    }

    /// Steps applied so far.
    pub fn step(&self) -> u64 {
        self.step
    }

    fn set_step(&mut self, step: u64) {
        self.step = step;
    }

    /// Looks the keys of growing spaces up, and orders them for a step; the loader's thread cannot, since they get rows while
    /// training.
    pub fn resolve(&self, batch: &Batch, prepared: &mut [SpaceBatch]) {
        self.look_up(batch, prepared);
        let grown = self.indexer.spaces.iter().zip(prepared).filter(|(space, _)| space.grows);
        grown.for_each(|(_, prepared)| prepared.sort());
    }

    /// Looks the keys of growing spaces up, for rows that are only asked about.
    pub fn look_up(&self, batch: &Batch, prepared: &mut [SpaceBatch]) {
        let grown = self.indexer.spaces.iter().enumerate().filter(|(_, s)| s.grows);
        for (which, space) in grown {
            let rows = &self.growing[which].rows;
            let row = |slot: usize, key: u64| match key {
                0 => 0,
                key => rows.get(&key).copied().unwrap_or(1 + space.table_of[slot] as u32),
            };
            prepared[which] = SpaceBatch::new(&self.indexer.schema, space, batch, &row);
        }
    }

    /// How new ids are let in from now on; a filter that was read with the tables stays.
    pub fn set_admission(&mut self, admission: Option<&Admission>) {
        self.chance = admission.and_then(|admission| admission.probability);
        let Some(mib) = admission.and_then(|admission| admission.bloom_mib) else { return };
        for (space, growing) in self.indexer.spaces.iter().zip(&mut self.growing) {
            if space.grows && space.min_count.iter().any(|count| *count > 1) {
                growing.bloom.get_or_insert_with(|| Bloom::new(mib));
            }
        }
    }

    /// The vector of a row of a lookup's first table; for tests and exports.
    pub fn vector(&self, lookup: usize, row: u32) -> Option<Vec<f32>> {
        self.tables.iter().find(|t| t.lookup == lookup).map(|t| t.part(row, row + 1).weights)
    }

    /// Sizes over all tables.
    pub fn facts(&self) -> TableFacts {
        let mut facts = TableFacts { rows: 0, floats: 0, non_zero: 0, bytes: 0 };
        for table in &self.tables {
            let rows = u64::from(self.grown[table.space]);
            facts.rows += rows.saturating_sub(1 + self.growing[table.space].free.len() as u64);
            facts.floats += rows * table.layout.dim as u64;
            facts.bytes += rows * 4 * table.layout.stride() as u64;
            let shard = |s: &Shard| {
                (0..s.rows()).map(|r| s.weights(r).iter().filter(|w| **w != 0.0).count() as u64).sum::<u64>()
            };
            facts.non_zero += match table.device_rows {
                None => table.shards.par_iter().map(shard).sum::<u64>(),
                Some(_) => (0..rows as u32)
                    .step_by(ROWS_A_MOVE as usize)
                    .map(|from| table.part(from, (rows as u32).min(from + ROWS_A_MOVE)))
                    .map(|part| part.weights.iter().filter(|w| **w != 0.0).count() as u64)
                    .sum(),
            };
        }
        facts
    }
}

/// The key of every row of a space; 0 for padding and the unseen rows. A modulo bucket's key is made of its number.
pub(crate) fn keys_by_row(space: &Space, growing: &Growing, rows: u32) -> Vec<u64> {
    let mut keys = vec![0; rows as usize];
    for (number, (_, table)) in space.tables.iter().enumerate() {
        match table {
            FeatureRows::Vocabulary(map) => map.iter().for_each(|(key, row)| keys[*row as usize] = *key),
            FeatureRows::Modulo { first, buckets } => {
                (0..*buckets).for_each(|b| keys[(first + b) as usize] = ((number as u64 + 1) << 32) | u64::from(b));
            }
            FeatureRows::Growing => {}
        }
    }
    growing.rows.iter().for_each(|(key, row)| keys[*row as usize] = *key);
    keys
}
