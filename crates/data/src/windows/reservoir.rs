//! A uniform sample of all rows that passed, to be learned from again.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, interleave_record_batch, take_record_batch};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::DataError;
use crate::source::RowStream;

/// At most so many rows; each row that passed is in it with the same chance (Vitter, ACM TOMS 1985, algorithm R). Which ones
/// are depends on the seed and on the order of the rows, and not on how they are cut into batches.
#[derive(Clone, Debug)]
pub struct Reservoir {
    capacity: usize,
    seed: u64,
    seen: u64,
    batches: Vec<RecordBatch>,
    /// Batch and row of each kept one.
    slots: Vec<(usize, usize)>,
}

impl Reservoir {
    /// An empty one.
    pub fn new(capacity: usize, seed: u64) -> Self {
        Self { capacity, seed, seen: 0, batches: Vec::new(), slots: Vec::new() }
    }

    /// Rows that passed.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Lets rows pass.
    ///
    /// # Errors
    /// Batches of other columns than before.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), DataError> {
        let number = self.batches.len();
        let mut taken = false;
        for row in 0..batch.num_rows() {
            self.seen += 1;
            let slot = match self.slots.len() < self.capacity {
                true => {
                    self.slots.push((0, 0));
                    self.slots.len() - 1
                }
                false => (xxh3_64_with_seed(&self.seen.to_le_bytes(), self.seed) % self.seen) as usize,
            };
            if let Some(slot) = self.slots.get_mut(slot) {
                (*slot, taken) = ((number, row), true);
            }
        }
        if taken {
            self.batches.push(batch.clone());
        }
        let held: usize = self.batches.iter().map(RecordBatch::num_rows).sum();
        if held > (4 * self.capacity).max(1 << 16) {
            let kept = self.pick(0..self.slots.len())?;
            self.slots = (0..kept.num_rows()).map(|row| (0, row)).collect();
            self.batches = vec![kept];
        }
        Ok(())
    }

    fn pick(&self, slots: impl IntoIterator<Item = usize>) -> Result<RecordBatch, DataError> {
        let rows: Vec<(usize, usize)> = slots.into_iter().map(|slot| self.slots[slot]).collect();
        Ok(interleave_record_batch(&self.batches.iter().collect::<Vec<_>>(), &rows)?)
    }

    /// New rows with kept ones among them, so that these are `share` of all. An empty sample adds nothing.
    pub fn mix(self, rows: RowStream, share: f64, seed: u64) -> RowStream {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut owed = 0.0;
        Box::new(rows.map(move |batch| {
            let batch = batch?;
            owed += batch.num_rows() as f64 * share / (1.0 - share);
            let more = owed as usize;
            if self.slots.is_empty() || more == 0 {
                return Ok(batch);
            }
            owed -= more as f64;
            let kept = self.pick((0..more).map(|_| rng.random_range(0..self.slots.len())).collect::<Vec<_>>())?;
            let all = concat_batches(&batch.schema(), [&batch, &kept])?;
            let mut order: Vec<u32> = (0..all.num_rows() as u32).collect();
            order.shuffle(&mut rng);
            Ok(take_record_batch(&all, &UInt32Array::from(order))?)
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::UInt64Array;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn batch(rows: std::ops::Range<u64>) -> RecordBatch {
        let schema = Schema::new(vec![Field::new("x", DataType::UInt64, false)]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(UInt64Array::from_iter_values(rows))]).unwrap()
    }

    fn values(batch: &RecordBatch) -> Vec<u64> {
        batch.column(0).as_any().downcast_ref::<UInt64Array>().unwrap().values().to_vec()
    }

    #[test]
    fn it_keeps_a_uniform_sample_whatever_the_batches() {
        let fill = |step: u64| {
            let mut kept = Reservoir::new(1000, 7);
            (0..100_000).step_by(step as usize).for_each(|at| kept.add(&batch(at..(at + step).min(100_000))).unwrap());
            values(&kept.pick(0..1000).unwrap())
        };
        let kept = fill(8192);
        assert_eq!(kept, fill(77));
        // A tenth of the rows has a tenth of the sample: 100 ± 4 deviations.
        for tenth in 0..10 {
            let own = kept.iter().filter(|x| **x / 10_000 == tenth).count();
            assert!((60..140).contains(&own), "{own} of tenth {tenth}");
        }
        let mut distinct = kept;
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 1000);
    }

    #[test]
    fn a_share_of_what_is_learned_is_of_before() {
        let mut kept = Reservoir::new(50, 1);
        let new = || -> RowStream { Box::new((0..20).map(|n| Ok(batch(1000 + n * 10..1010 + n * 10)))) };
        let all = |stream: RowStream| stream.flat_map(|b| values(&b.unwrap())).collect::<Vec<_>>();
        assert_eq!(all(kept.clone().mix(new(), 0.2, 3)).len(), 200);
        kept.add(&batch(0..500)).unwrap();
        let mixed = all(kept.clone().mix(new(), 0.2, 3));
        assert_eq!(mixed.iter().filter(|x| **x < 500).count(), 50);
        assert_eq!(mixed.len(), 250);
        assert_eq!(mixed, all(kept.mix(new(), 0.2, 3)));
    }
}
