//! The ids of one input, as stable 64-bit keys.

use serde::{Deserialize, Serialize};

/// The keys of one categorical input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

impl Keys {
    /// Ids of each row.
    pub(crate) fn lengths(&self) -> Box<dyn Iterator<Item = usize> + '_> {
        match self {
            Self::One(keys) => Box::new(keys.iter().map(|_| 1)),
            Self::Many { offsets, .. } => Box::new(offsets.windows(2).map(|w| (w[1] - w[0]) as usize)),
        }
    }

    /// Leaves the last `most` keys of each row.
    pub(crate) fn keep_last(&mut self, most: usize) {
        let Self::Many { keys, weights, offsets } = self else { return };
        let spans: Vec<std::ops::Range<usize>> = offsets
            .windows(2)
            .map(|w| (w[0] as usize).max((w[1] as usize).saturating_sub(most))..w[1] as usize)
            .collect();
        let kept = |span: &std::ops::Range<usize>| span.clone();
        *keys = spans.iter().flat_map(|span| keys[kept(span)].iter().copied()).collect();
        *weights = weights.as_ref().map(|w| spans.iter().flat_map(|span| w[kept(span)].iter().copied()).collect());
        let mut end = 0;
        *offsets = std::iter::once(0)
            .chain(spans.iter().map(|span| {
                end += span.len() as u32;
                end
            }))
            .collect();
    }

    /// A sum over all keys that does not depend on how they are cut into batches.
    pub(crate) fn checksum(&self) -> u64 {
        let (Self::One(keys) | Self::Many { keys, .. }) = self;
        keys.iter().fold(0, |sum: u64, key| sum.wrapping_add((key ^ (key >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// The keys of a row.
    pub(crate) fn of_row(&self, row: usize) -> &[u64] {
        match self {
            Self::One(keys) => &keys[row..=row],
            Self::Many { keys, offsets, .. } => &keys[offsets[row] as usize..offsets[row + 1] as usize],
        }
    }

    /// A hash of a row's keys with their weights, in whatever order they stand.
    pub(crate) fn hash_of_row(&self, row: usize) -> u64 {
        let weights = match self {
            Self::Many { weights: Some(weights), offsets, .. } => {
                &weights[offsets[row] as usize..offsets[row + 1] as usize]
            }
            _ => &[],
        };
        let keys = self.of_row(row).iter().enumerate().filter(|(_, key)| **key != 0);
        let mixed = keys.map(|(at, key)| (*key, weights.get(at).map_or(0, |w| u64::from(w.to_bits()))));
        mixed.fold(0, |sum: u64, (key, weight)| {
            let mixed = (key ^ weight.rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            sum.wrapping_add(mixed ^ (mixed >> 29))
        })
    }

    /// No key on any row: one that is missing, or an empty list.
    pub(crate) fn none(list: bool, rows: usize) -> Self {
        match list {
            true => Self::Many { keys: Vec::new(), weights: None, offsets: vec![0; rows + 1] },
            false => Self::One(vec![0; rows]),
        }
    }

    /// [`Keys::none`] of the same kind.
    pub(crate) fn none_like(&self, rows: usize) -> Self {
        match self {
            Self::One(_) => Self::One(vec![0; rows]),
            Self::Many { weights, .. } => Self::Many {
                keys: Vec::new(),
                weights: weights.as_ref().map(|_| Vec::new()),
                offsets: vec![0; rows + 1],
            },
        }
    }

    /// The keys of the rows in this order.
    pub fn take(&self, order: &[u32]) -> Self {
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

    pub(crate) fn append(&mut self, other: &Self) {
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
