//! Sums of priorities as a binary tree: setting one and finding where a sum is reached take the tree's height.

use serde::{Deserialize, Serialize};

/// Priorities of a fixed number of places.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SumTree {
    /// The root at 1, children of n at 2n and 2n + 1, places from `leaves` on.
    sums: Vec<f64>,
    leaves: usize,
    positive: usize,
}

impl SumTree {
    pub(super) fn new(places: usize) -> Self {
        let leaves = places.next_power_of_two().max(1);
        Self { sums: vec![0.0; 2 * leaves], leaves, positive: 0 }
    }

    pub(super) fn sum(&self) -> f64 {
        self.sums[1]
    }

    /// Places with a priority above 0.
    pub(super) fn positive(&self) -> usize {
        self.positive
    }

    pub(super) fn get(&self, place: usize) -> f64 {
        self.sums[self.leaves + place]
    }

    pub(super) fn set(&mut self, place: usize, priority: f64) {
        let mut at = self.leaves + place;
        self.positive = self.positive + usize::from(priority > 0.0) - usize::from(self.sums[at] > 0.0);
        self.sums[at] = priority;
        while at > 1 {
            at /= 2;
            // Summed anew, so that rounding does not pile up.
            self.sums[at] = self.sums[2 * at] + self.sums[2 * at + 1];
        }
    }

    /// The place where the sum of priorities passes a number below the sum of all.
    pub(super) fn find(&self, mut number: f64) -> usize {
        let mut at = 1;
        while at < self.leaves {
            let left = self.sums[2 * at];
            // Rounding may leave a number for a side that has nothing.
            at = match number < left || self.sums[2 * at + 1] == 0.0 {
                true => 2 * at,
                false => {
                    number -= left;
                    2 * at + 1
                }
            };
        }
        at - self.leaves
    }
}
