//! Sequences of a batch, laid end to end.

use crate::batch::{Batch, Keys};
use crate::schema::Schema;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_without_an_id_are_left_out_of_all_that_go_along() {
        let fields = serde_json::json!({ "a": "sequence", "b": { "kind": "sequence", "along": "a" } });
        let config = serde_json::json!({ "label": { "column": "y" }, "fields": fields });
        let schema = Schema::new(&serde_json::from_value(config).unwrap()).unwrap();
        let many = |keys: &[u64]| Keys::Many { keys: keys.to_vec(), weights: None, offsets: vec![0, 2, 2, 5] };
        let batch = Batch {
            rows: 3,
            keys: vec![many(&[4, 0, 6, 0, 7]), many(&[1, 2, 0, 3, 5])],
            numeric: vec![],
            label: vec![],
            weight: vec![],
            group: vec![],
        };
        let segments = schema.segments(&batch, 1);
        assert_eq!((segments.offsets.as_slice(), segments.positions()), (&[0, 1, 1, 3][..], 3));
        assert_eq!(segments.keys(&batch, 0).collect::<Vec<_>>(), [4, 6, 7]);
        assert_eq!(segments.keys(&batch, 1).collect::<Vec<_>>(), [1, 0, 5]);
    }
}
