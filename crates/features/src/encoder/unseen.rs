//! Ids of histories that no row has in the field that they are histories of.

use std::hash::BuildHasherDefault;

use arrow::array::RecordBatch;
use burnrec_data::split::Dataset;
use burnrec_data::{Side, positions};
use hashbrown::{HashMap, HashSet};

use crate::batch::Keys;
use crate::columns::KeyHasher;
use crate::error::FeatureError;
use crate::schema::{CategoricalSource, Schema};

type Hasher = BuildHasherDefault<KeyHasher>;

/// One history: where each of its ids was met first, and the ids of the other field.
struct Watched {
    sequence: usize,
    candidate: usize,
    met: HashMap<u64, (Side, u64), Hasher>,
    known: HashSet<u64, Hasher>,
}

/// Histories that are watched while rows are read.
pub(crate) struct UnseenIds(Vec<Watched>);

impl UnseenIds {
    pub(crate) fn new(schema: &Schema) -> Self {
        let strict = |s: &usize| schema.categorical[*s].sequence.is_some_and(|s| !s.unknown);
        let watched = schema.sequences().into_iter().filter(strict).filter_map(|sequence| {
            let candidate = schema.candidate_of(sequence)?;
            Some(Watched { sequence, candidate, met: HashMap::default(), known: HashSet::default() })
        });
        Self(watched.collect())
    }

    /// Notes the ids of some rows.
    pub(crate) fn see(&mut self, side: Side, batch: &RecordBatch, keys: &[Keys]) {
        let places = positions(batch);
        for watched in &mut self.0 {
            for (row, place) in places.iter().enumerate() {
                watched.known.extend(keys[watched.candidate].of_row(row));
                for key in keys[watched.sequence].of_row(row).iter().filter(|k| **k != 0) {
                    watched.met.entry(*key).or_insert((side, *place));
                }
            }
        }
    }

    /// # Errors
    /// The first row with an id that no row has in the other field.
    pub(crate) fn check(self, schema: &Schema, dataset: &Dataset) -> Result<(), FeatureError> {
        for watched in self.0 {
            let unseen = watched.met.iter().filter(|(key, _)| !watched.known.contains(*key));
            let Some((side, place)) =
                unseen.clone().map(|(_, at)| *at).min_by_key(|(side, place)| (*side as u8, *place))
            else {
                continue;
            };
            let (field, candidate) = (&schema.categorical[watched.sequence], &schema.categorical[watched.candidate]);
            let column = match &field.source {
                CategoricalSource::Many { column, .. } => column.clone(),
                _ => field.name.clone(),
            };
            return Err(FeatureError::Value {
                location: dataset.source(side).locate(place).to_string(),
                column,
                feature: field.name.clone(),
                problem: format!(
                    "holds an id that no row has as `{}` ({} such ids in all); give it ids of the same kind, or allow them with unknown = true",
                    candidate.name,
                    unseen.count()
                ),
            });
        }
        Ok(())
    }
}
