//! What users did, each thing once.

use std::collections::HashMap;

use burnrec_features::{Batch, Keys, Schema};

/// Different behaviours of one history that are told apart for a part of the users, at most, but for those of a single user.
const MOST: usize = 4096;

/// The histories of some users, each different behaviour once.
#[derive(Debug, Default)]
pub struct Behaviours {
    /// For each history the different behaviours: a key for each sequence that goes along in it.
    different: Vec<Vec<Vec<u64>>>,
    /// For each user, for each history, which of them its positions are.
    pub places: Vec<Vec<Vec<u32>>>,
}

impl Behaviours {
    /// Of the first of some users' rows, as many as have not too many different ones, one at least.
    pub fn of(schema: &Schema, ones: impl Iterator<Item = Batch>) -> Self {
        let groups = schema.groups();
        let mut known: Vec<HashMap<Vec<u64>, u32>> = vec![HashMap::new(); groups.len()];
        let mut found = Self { different: vec![Vec::new(); groups.len()], places: Vec::new() };
        for one in ones {
            if !found.places.is_empty() && found.different.iter().any(|all| all.len() >= MOST) {
                break;
            }
            let of = |(group, leader): (usize, &usize)| {
                let place = |behaviour: Vec<u64>| {
                    *known[group].entry(behaviour).or_insert_with_key(|new| {
                        found.different[group].push(new.clone());
                        found.different[group].len() as u32 - 1
                    })
                };
                behaviours(schema, &one, *leader).into_iter().map(place).collect()
            };
            let places = groups.iter().enumerate().map(of).collect();
            found.places.push(places);
        }
        found
    }

    /// Users whose histories these are.
    pub fn users(&self) -> usize {
        self.places.len()
    }

    /// Different behaviours of the history that has the most.
    pub fn most(&self) -> usize {
        self.different.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// A user's row whose histories are the behaviours of a range, as far as there are such.
    pub fn row(&self, schema: &Schema, bare: &Batch, range: std::ops::Range<usize>) -> Batch {
        let mut one = bare.clone();
        for (all, leader) in self.different.iter().zip(schema.groups()) {
            let some = &all[range.start.min(all.len())..range.end.min(all.len())];
            for (number, place) in schema.along_with(leader).into_iter().enumerate() {
                let keys: Vec<u64> = some.iter().map(|behaviour| behaviour[number]).collect();
                let offsets = vec![0, keys.len() as u32];
                one.keys[place] = Keys::Many { keys, weights: None, offsets };
            }
        }
        one
    }
}

/// The behaviours of a row in the history that `leader` leads: a key for each sequence that goes along.
fn behaviours(schema: &Schema, one: &Batch, leader: usize) -> Vec<Vec<u64>> {
    let segments = schema.segments(one, leader);
    let columns: Vec<Vec<u64>> =
        schema.along_with(leader).into_iter().map(|place| segments.keys(one, place).collect()).collect();
    let length = columns.first().map_or(0, Vec::len);
    (0..length).map(|position| columns.iter().map(|keys| keys[position]).collect()).collect()
}
