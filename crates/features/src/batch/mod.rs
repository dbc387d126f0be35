//! Encoded rows in host memory, by column.

mod keys;
mod targets;

use serde::{Deserialize, Serialize};

pub use keys::Keys;
pub use targets::Targets;

/// Encoded rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// How many rows.
    pub rows: usize,
    /// The keys of each categorical input of the schema.
    pub keys: Vec<Keys>,
    /// The numeric inputs, `[rows, N]` row by row.
    pub numeric: Vec<f32>,
    /// The labels of every task; empty where there are none.
    pub targets: Targets,
    /// The sample weights; empty where all are 1.
    pub weight: Vec<f32>,
    /// The group of each row, or the list that it is ranked in; empty where there is none.
    pub group: Vec<u64>,
    /// The list of each row, where lists are cut to a size: rows of one group may be of several. Else the groups are the lists.
    pub list: Vec<u32>,
    /// The item of each row by its place in the catalogue, [`NO_ITEM`] for unknown ones; empty without a catalogue.
    pub item: Vec<u32>,
    /// The user of each row by its place in the catalogue, [`NO_USER`] for unknown ones; empty where nothing asks for it.
    pub user: Vec<u32>,
    /// Where the rows of each request start, and the end, where they stand together and are told from each other: what agents
    /// ask about. Empty elsewhere.
    pub requests: Vec<u32>,
    /// What was drawn for the batch.
    pub drawn: Option<Drawn>,
}

/// The item of a row whose id the catalogue does not know.
pub const NO_ITEM: u32 = u32::MAX;

/// The user of a row whom the catalogue does not know.
pub const NO_USER: u32 = u32::MAX;

/// Negatives that stand beside a batch of B rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    /// How they belong to the rows.
    pub sharing: Sharing,
    /// The logarithm of how often each row's own item is expected among what is drawn, `[B]`.
    pub log_expected_own: Vec<f32>,
    /// The same of each drawn item, `[S]`, [`NO_NEGATIVE`] for those that are none to any row; empty where each row has its
    /// own.
    pub log_expected: Vec<f32>,
    /// Pairs (row, drawn item) that are no negatives: the drawn item is the row's own, or one that its user likes.
    pub hits: Vec<(u32, u32)>,
}

/// So often that it takes any logit away: the batch's own item of a row that is not positive.
pub const NO_NEGATIVE: f32 = 1e9;

/// How negatives belong to the rows of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sharing {
    /// Each row has this many of its own.
    Own(usize),
    /// All rows share what was drawn.
    #[default]
    All,
    /// All rows share the batch's own items.
    Batch,
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
            targets: self.targets.take(order),
            weight: pick(&self.weight, order),
            group: pick(&self.group, order),
            list: pick(&self.list, order),
            item: pick(&self.item, order),
            user: pick(&self.user, order),
            requests: Vec::new(),
            drawn: None,
        }
    }

    /// Adds the rows of another batch of the same encoder.
    pub fn append(&mut self, other: &Self) {
        self.rows += other.rows;
        self.keys.iter_mut().zip(&other.keys).for_each(|(a, b)| a.append(b));
        self.numeric.extend_from_slice(&other.numeric);
        self.targets.append(&other.targets);
        self.weight.extend_from_slice(&other.weight);
        self.group.extend_from_slice(&other.group);
        self.item.extend_from_slice(&other.item);
        self.user.extend_from_slice(&other.user);
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
            targets: Targets::one(vec![0.0, 1.0, 0.0]),
            weight: vec![],
            group: vec![7, 8, 9],
            ..Batch::default()
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
        assert_eq!((taken.targets.values, taken.group), (vec![0.0, 0.0], vec![9, 7]));
    }

    #[test]
    fn append_then_take_is_the_identity_on_the_parts() {
        let mut both = batch();
        both.append(&batch());
        assert_eq!(both.take(&[3, 4, 5]), batch());
    }
}
