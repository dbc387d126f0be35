//! Key → row. Three policies behind one interface: a fitted vocabulary, the modulo trick, and a growing
//! table without collisions.
//!
//! Fields that are used by the same lookups form a *space*: one numbering of rows, shared by the tables
//! of those lookups. In a space row 0 is padding, then comes one row a key table for unseen ids, then the
//! ids.

use std::hash::BuildHasherDefault;

use burnrec_features::{Categorical, IndexPolicy, Schema, Vocabulary};
use hashbrown::HashMap;

use crate::error::EmbeddingError;

/// Passes a key, which is a hash already, through.
#[derive(Default, Clone)]
pub(crate) struct KeyHasher(u64);

impl std::hash::Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.0 = self.0.rotate_left(8) ^ u64::from(*b));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

pub(crate) type KeyMap<V> = HashMap<u64, V, BuildHasherDefault<KeyHasher>>;

/// How the keys of one key table get rows.
#[derive(Clone, Debug)]
pub(crate) enum FeatureRows {
    /// Key → row; other keys share the unseen row.
    Vocabulary(KeyMap<u32>),
    /// `first + key mod buckets`.
    Modulo {
        /// First row.
        first: u32,
        /// Rows.
        buckets: u32,
    },
    /// Rows are given out while training; see [`Growing`].
    Growing,
}

/// The rows of a growing space, and the keys that wait for admission.
#[derive(Clone, Debug, Default)]
pub(crate) struct Growing {
    pub(crate) rows: KeyMap<u32>,
    pub(crate) waiting: KeyMap<u32>,
    /// Rows of ids that were forgotten; the last one is given out next.
    pub(crate) free: Vec<u32>,
    /// Sightings of keys that wait, where a filter counts them.
    pub(crate) bloom: Option<crate::tables::Bloom>,
}

/// A numbering of rows for some fields.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    /// Categorical inputs of one vector a row, by their place in the schema.
    pub(crate) features: Vec<usize>,
    /// Sequences.
    pub(crate) sequences: Vec<usize>,
    /// The key table of each feature, then of each sequence.
    pub(crate) table_of: Vec<usize>,
    /// Each key table's name and rows.
    pub(crate) tables: Vec<(String, FeatureRows)>,
    /// Sightings that admit a key, for each key table (growing).
    pub(crate) min_count: Vec<u32>,
    /// Rows numbered so far.
    pub(crate) rows: u32,
    /// Training rows that hold each row's id; 0 where that is not known, nothing where it is known of none.
    pub(crate) frequency: Vec<u32>,
    /// Whether some feature has several ids a row.
    pub(crate) pooled: bool,
    /// Whether keys get rows while training.
    pub(crate) grows: bool,
}

impl Space {
    pub(super) fn new(
        schema: &Schema,
        mut features: Vec<usize>,
        vocabularies: &[Vocabulary],
    ) -> Result<Self, EmbeddingError> {
        let field = |f: usize| -> &Categorical { &schema.categorical[f] };
        // Sequences stand behind the fields of one vector a row.
        features.sort_by_key(|f| field(*f).sequence.is_some());
        let mut names: Vec<String> = features.iter().map(|&f| field(f).table.clone()).collect();
        names.sort();
        names.dedup();
        let table_of: Vec<usize> =
            features.iter().map(|&f| names.iter().position(|n| *n == field(f).table).unwrap_or(0)).collect();
        let grows = features.iter().any(|&f| field(f).index == IndexPolicy::Growing);
        let mut rows = 1 + names.len() as u64;
        let mut frequency = vec![0; names.len() + 1];
        let mut tables = Vec::new();
        let mut min_count = Vec::new();
        for (number, name) in names.into_iter().enumerate() {
            let members = || features.iter().zip(&table_of).filter(|(_, t)| **t == number).map(|(f, _)| *f);
            let first = members().next().unwrap_or(0);
            min_count.push(members().map(|f| field(f).min_count).max().unwrap_or(1));
            let of_table = match field(first).index {
                IndexPolicy::Growing => FeatureRows::Growing,
                IndexPolicy::Modulo => {
                    let buckets = members().map(|f| field(f).buckets).max().unwrap_or(1);
                    let first = rows as u32;
                    rows += u64::from(buckets);
                    FeatureRows::Modulo { first, buckets }
                }
                IndexPolicy::Vocabulary => {
                    let keys = merged(members().map(|f| vocabularies.get(f).map_or(&[][..], Vec::as_slice)));
                    let map = keys.iter().enumerate().map(|(i, (key, _))| (*key, (rows + i as u64) as u32)).collect();
                    rows += keys.len() as u64;
                    frequency.resize(rows as usize, 0);
                    let start = frequency.len() - keys.len();
                    frequency[start..].iter_mut().zip(&keys).for_each(|(f, (_, n))| *f = *n);
                    FeatureRows::Vocabulary(map)
                }
            };
            tables.push((name, of_table));
        }
        if rows > u64::from(u32::MAX) {
            return Err(EmbeddingError::TooManyRows { rows });
        }
        let any_fitted = tables.iter().any(|(_, t)| matches!(t, FeatureRows::Vocabulary(_)));
        frequency.resize(rows as usize, 0);
        let pooled = features.iter().any(|&f| field(f).pooling.is_some());
        let frequency = if any_fitted { frequency } else { Vec::new() };
        let is_sequence = |f: &usize| field(*f).sequence.is_some();
        let (sequences, slots): (Vec<usize>, Vec<usize>) = features.iter().partition(|f| is_sequence(f));
        Ok(Self {
            features: slots,
            sequences,
            table_of,
            tables,
            min_count,
            rows: rows as u32,
            frequency,
            pooled,
            grows,
        })
    }

    /// The row of a key of the feature at `slot`, for fixed policies.
    pub(crate) fn row(&self, slot: usize, key: u64) -> u32 {
        if key == 0 {
            return 0;
        }
        let table = self.table_of[slot];
        match &self.tables[table].1 {
            FeatureRows::Vocabulary(map) => map.get(&key).copied().unwrap_or(1 + table as u32),
            FeatureRows::Modulo { first, buckets } => first + (key % u64::from(*buckets)) as u32,
            FeatureRows::Growing => 0,
        }
    }
}

/// One vocabulary from several, counts added up, most frequent first.
fn merged<'a>(parts: impl Iterator<Item = &'a [(u64, u32)]>) -> Vocabulary {
    let mut counts: KeyMap<u32> = KeyMap::default();
    let mut only: Option<&[(u64, u32)]> = None;
    for (number, part) in parts.enumerate() {
        only = if number == 0 { Some(part) } else { None };
        part.iter().for_each(|(key, n)| *counts.entry(*key).or_insert(0) += n);
    }
    if let Some(part) = only {
        return part.to_vec();
    }
    let mut all: Vocabulary = counts.into_iter().collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    all
}
