//! Sequences of a batch, laid end to end.

use rand::RngExt;

use crate::batch::{Batch, Keys};
use crate::schema::Schema;
use crate::stream::stream;

/// Where each row's part of a sequence starts among the positions of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segments {
    /// Where each row starts, and the end: rows + 1 entries.
    pub offsets: Vec<u32>,
    /// Which values of the column the positions are; all of them when absent.
    pub kept: Option<Vec<u32>>,
}

impl Segments {
    /// Positions of the batch.
    pub fn positions(&self) -> usize {
        self.offsets.last().map_or(0, |n| *n as usize)
    }
}

impl Schema {
    /// The sequences that have the positions of a leader, in their order; it is one of them.
    pub fn along_with(&self, leader: usize) -> Vec<usize> {
        let along = |&place: &usize| self.categorical[place].sequence.is_some_and(|s| s.leader == leader);
        self.sequences().into_iter().filter(along).collect()
    }

    /// The positions of a sequence in a batch: those where its leader has an id. Sequences that go along with each other
    /// have the same ones.
    pub fn segments(&self, batch: &Batch, sequence: usize) -> Segments {
        let leader = self.categorical[sequence].sequence.map_or(sequence, |s| s.leader);
        let Keys::Many { keys, offsets, .. } = &batch.keys[leader] else { return Segments::default() };
        if keys.iter().all(|k| *k != 0) {
            return Segments { offsets: offsets.clone(), kept: None };
        }
        let kept: Vec<u32> = (0..keys.len() as u32).filter(|&i| keys[i as usize] != 0).collect();
        let starts = offsets.iter().map(|o| kept.partition_point(|k| k < o) as u32).collect();
        Segments { offsets: starts, kept: Some(kept) }
    }
}

impl Segments {
    /// The keys of a sequence at these positions.
    pub fn keys<'a>(&'a self, batch: &'a Batch, sequence: usize) -> Box<dyn Iterator<Item = u64> + 'a> {
        let (Keys::One(keys) | Keys::Many { keys, .. }) = &batch.keys[sequence];
        match &self.kept {
            None => Box::new(keys.iter().copied()),
            Some(kept) => Box::new(kept.iter().map(|&i| keys[i as usize])),
        }
    }
}

/// Pairs of positions that follow each other in a row, each with one of the batch that holds another id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Following {
    /// The positions that something follows.
    pub from: Vec<u32>,
    /// What follows them.
    pub to: Vec<u32>,
    /// Positions whose id is another than that of `to`, [`Near::others`] a pair.
    pub other: Vec<u32>,
}

/// Which positions of a row are near to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    /// How far behind a position another may follow.
    pub window: usize,
    /// Positions of other ids that are drawn for each pair.
    pub others: usize,
    /// Whether what is drawn is of another id than the first of the pair too.
    pub apart: bool,
}

/// What comes next, and one other.
impl Default for Near {
    fn default() -> Self {
        Self { window: 1, others: 1, apart: false }
    }
}

/// Draws for one pair before it is left out: a batch of a single id has no other.
const DRAWS: usize = 32;

impl Schema {
    /// The pairs of a sequence, their other positions drawn by the stream `negatives` of `seed` at `step`.
    pub fn following(&self, batch: &Batch, sequence: usize, near: Near, seed: u64, step: u64) -> Following {
        let segments = self.segments(batch, sequence);
        let keys: Vec<u64> = segments.keys(batch, sequence).collect();
        let mut rng = stream(seed, "negatives", step);
        let mut pairs = Following::default();
        for row in segments.offsets.windows(2) {
            for from in row[0]..row[1].saturating_sub(1) {
                for to in from + 1..=(from + near.window as u32).min(row[1] - 1) {
                    let truth = keys[to as usize];
                    let mut draw = || {
                        let mut draws = (0..DRAWS).map(|_| rng.random_range(0..keys.len()));
                        draws
                            .find(|other| keys[*other] != truth && (!near.apart || keys[*other] != keys[from as usize]))
                            .map(|other| other as u32)
                    };
                    let others: Option<Vec<u32>> = (0..near.others).map(|_| draw()).collect();
                    if let Some(others) = others {
                        pairs.from.push(from);
                        pairs.to.push(to);
                        pairs.other.extend(others);
                    }
                }
            }
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TargetConfig;

    #[test]
    fn positions_without_an_id_are_left_out_of_all_that_go_along() {
        let fields = serde_json::json!({ "a": "sequence", "b": { "kind": "sequence", "along": "a" } });
        let config = serde_json::json!({ "fields": fields });
        let schema = Schema::new(&serde_json::from_value(config).unwrap(), &[TargetConfig::of("y")]).unwrap();
        let many = |keys: &[u64]| Keys::Many { keys: keys.to_vec(), weights: None, offsets: vec![0, 2, 2, 5] };
        let batch = Batch {
            rows: 3,
            keys: vec![many(&[4, 0, 6, 0, 7]), many(&[1, 2, 0, 3, 5])],
            numeric: vec![],
            weight: vec![],
            group: vec![],
            ..Batch::default()
        };
        let segments = schema.segments(&batch, 1);
        assert_eq!((segments.offsets.as_slice(), segments.positions()), (&[0, 1, 1, 3][..], 3));
        assert_eq!(segments.keys(&batch, 0).collect::<Vec<_>>(), [4, 6, 7]);
        assert_eq!(segments.keys(&batch, 1).collect::<Vec<_>>(), [1, 0, 5]);
    }

    #[test]
    fn pairs_stay_within_a_row_and_their_others_are_never_the_truth() {
        let config = serde_json::json!({ "fields": { "a": "sequence" } });
        let schema = Schema::new(&serde_json::from_value(config).unwrap(), &[TargetConfig::of("y")]).unwrap();
        let keys = vec![1, 1, 2, 1, 3, 1];
        let keys = Keys::Many { keys, weights: None, offsets: vec![0, 3, 4, 6] };
        let batch =
            Batch { rows: 3, keys: vec![keys], numeric: vec![], weight: vec![], group: vec![], ..Batch::default() };
        for step in 0..50 {
            let pairs = schema.following(&batch, 0, Near::default(), 1, step);
            assert_eq!((pairs.from.as_slice(), pairs.to.as_slice()), (&[0, 1, 4][..], &[1, 2, 5][..]));
            let ids = [1, 1, 2, 1, 3, 1];
            assert!(pairs.to.iter().zip(&pairs.other).all(|(t, o)| ids[*t as usize] != ids[*o as usize]), "{pairs:?}");
            assert_eq!(pairs, schema.following(&batch, 0, Near::default(), 1, step));
        }
    }
}
