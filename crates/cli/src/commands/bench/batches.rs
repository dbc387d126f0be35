//! Generated batches: Zipf ids of exponent 1.05, uniform numbers, labels that are 1 in a quarter of the rows.

use burnrec_data::Zipf;
use burnrec_features::{Batch, Keys, Schema, Targets};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::workload::POSITIVE;

const ZIPF: f64 = 1.05;
/// Batches that are made; steps take them in turn.
pub const BATCHES: usize = 8;

/// Batches of this many rows, with histories of 1 to `history`.
pub fn batches(schema: &Schema, sizes: &[u64], rows: usize, history: usize) -> Vec<Batch> {
    let mut rng = ChaCha8Rng::seed_from_u64(12_345);
    let laws: Vec<Zipf> = sizes.iter().map(|s| Zipf::new(*s, ZIPF)).collect();
    (0..BATCHES).map(|_| batch(schema, sizes, &laws, rows, history, &mut rng)).collect()
}

fn batch(schema: &Schema, sizes: &[u64], laws: &[Zipf], rows: usize, history: usize, rng: &mut ChaCha8Rng) -> Batch {
    let lengths: Vec<u32> = (0..rows).map(|_| rng.random_range(1..=history as u32)).collect();
    let mut keys = |place: usize| {
        // Keys that are congruent to their rank give every id a row of its own.
        let mut draw = |count: usize| (0..count).map(|_| laws[place].rank(rng.random()) + sizes[place]).collect();
        match schema.categorical[place].sequence {
            None => Keys::One(draw(rows)),
            Some(_) => {
                let ends = lengths.iter().scan(0, |end, length| {
                    *end += length;
                    Some(*end)
                });
                let offsets: Vec<u32> = std::iter::once(0).chain(ends).collect();
                let count = offsets.last().map_or(0, |n| *n as usize);
                Keys::Many { keys: draw(count), weights: None, offsets }
            }
        }
    };
    let keys = (0..sizes.len()).map(&mut keys).collect();
    let numeric = (0..rows * schema.numeric.len()).map(|_| rng.random::<f32>()).collect();
    let tasks = schema.targets.len();
    let values = (0..rows * tasks).map(|_| f32::from(u8::from(rng.random::<f64>() < POSITIVE))).collect();
    Batch { rows, keys, numeric, targets: Targets { tasks, values, known: None, weights: None }, ..Batch::default() }
}
