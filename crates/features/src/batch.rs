//! Encoded rows in host memory, by column.

/// The keys of one categorical input.
#[derive(Clone, Debug, PartialEq)]
pub enum Keys {
    /// One key a row; 0 is missing.
    One(Vec<u64>),
    /// Several keys a row.
    Many {
        /// All keys, row after row.
        keys: Vec<u64>,
        /// A weight for each key.
        weights: Option<Vec<f32>>,
        /// Where each row starts in `keys`, and the end: rows + 1 entries.
        offsets: Vec<u32>,
    },
}

/// Encoded rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// How many rows.
    pub rows: usize,
    /// The keys of each categorical input of the schema.
    pub keys: Vec<Keys>,
    /// The numeric inputs, `[rows, N]` row by row.
    pub numeric: Vec<f32>,
    /// The labels; empty where there are none.
    pub label: Vec<f32>,
    /// The sample weights; empty where all are 1.
    pub weight: Vec<f32>,
    /// The group of each row; empty where there is no group column.
    pub group: Vec<u64>,
}

impl Keys {
    /// Ids of each row.
    pub(crate) fn lengths(&self) -> Box<dyn Iterator<Item = usize> + '_> {
        match self {
            Self::One(keys) => Box::new(keys.iter().map(|_| 1)),
            Self::Many { offsets, .. } => Box::new(offsets.windows(2).map(|w| (w[1] - w[0]) as usize)),
        }
    }

    /// A sum over all keys that does not depend on how they are cut into batches.
    pub(crate) fn checksum(&self) -> u64 {
        let (Self::One(keys) | Self::Many { keys, .. }) = self;
        keys.iter().fold(0, |sum: u64, key| sum.wrapping_add((key ^ (key >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    fn take(&self, order: &[u32]) -> Self {
        match self {
            Self::One(keys) => Self::One(order.iter().map(|&r| keys[r as usize]).collect()),
            Self::Many { keys, weights, offsets } => {
                let span = |r: u32| offsets[r as usize] as usize..offsets[r as usize + 1] as usize;
                let mut ends = vec![0];
                let mut picked = Vec::with_capacity(keys.len());
                for &r in order {
                    picked.extend_from_slice(&keys[span(r)]);
                    ends.push(picked.len() as u32);
                }
                let weights =
                    weights.as_ref().map(|w| order.iter().flat_map(|&r| w[span(r)].iter().copied()).collect());
                Self::Many { keys: picked, weights, offsets: ends }
            }
        }
    }

    fn append(&mut self, other: &Self) {
        match (self, other) {
            (Self::One(a), Self::One(b)) => a.extend_from_slice(b),
            (
                Self::Many { keys, weights, offsets },
                Self::Many { keys: more, weights: more_weights, offsets: more_offsets },
            ) => {
                let base = keys.len() as u32;
                keys.extend_from_slice(more);
                if let (Some(w), Some(m)) = (weights, more_weights) {
                    w.extend_from_slice(m);
                }
                offsets.extend(more_offsets[1..].iter().map(|o| base + o));
            }
            _ => unreachable!("batches of one encoder have one layout"),
        }
    }
}

impl Batch {
    /// The rows in this order.
    pub fn take(&self, order: &[u32]) -> Self {
        fn pick<T: Copy>(values: &[T], order: &[u32]) -> Vec<T> {
            match values.is_empty() {
                true => Vec::new(),
                false => order.iter().map(|&r| values[r as usize]).collect(),
            }
        }
        let width = self.numeric.len() / self.rows.max(1);
        let mut numeric = Vec::with_capacity(order.len() * width);
        for &r in order {
            numeric.extend_from_slice(&self.numeric[r as usize * width..(r as usize + 1) * width]);
        }
        Self {
            rows: order.len(),
            keys: self.keys.iter().map(|k| k.take(order)).collect(),
            numeric,
            label: pick(&self.label, order),
            weight: pick(&self.weight, order),
            group: pick(&self.group, order),
        }
    }

    /// Adds the rows of another batch of the same encoder.
    pub fn append(&mut self, other: &Self) {
        self.rows += other.rows;
        self.keys.iter_mut().zip(&other.keys).for_each(|(a, b)| a.append(b));
        self.numeric.extend_from_slice(&other.numeric);
        self.label.extend_from_slice(&other.label);
        self.weight.extend_from_slice(&other.weight);
        self.group.extend_from_slice(&other.group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        Batch {
            rows: 3,
            keys: vec![
                Keys::One(vec![10, 11, 12]),
                Keys::Many { keys: vec![1, 2, 3], weights: Some(vec![0.1, 0.2, 0.3]), offsets: vec![0, 2, 2, 3] },
            ],
            numeric: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            label: vec![0.0, 1.0, 0.0],
            weight: vec![],
            group: vec![7, 8, 9],
        }
    }

    #[test]
    fn take_moves_whole_rows() {
        let taken = batch().take(&[2, 0]);
        assert_eq!(taken.keys[0], Keys::One(vec![12, 10]));
        assert_eq!(
            taken.keys[1],
            Keys::Many { keys: vec![3, 1, 2], weights: Some(vec![0.3, 0.1, 0.2]), offsets: vec![0, 1, 3] }
        );
        assert_eq!(taken.numeric, [5.0, 6.0, 1.0, 2.0]);
        assert_eq!((taken.label, taken.group), (vec![0.0, 0.0], vec![9, 7]));
    }

    #[test]
    fn append_then_take_is_the_identity_on_the_parts() {
        let mut both = batch();
        both.append(&batch());
        assert_eq!(both.take(&[3, 4, 5]), batch());
    }
}
