//! Lists that stand for others, by one over how probable they were.

use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// Lists below which nothing is said of their weights.
const FEW: u64 = 100;

/// What figures an environment allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Allows {
    /// Whether lists have propensities: one choice each, most of which nobody hears of.
    pub weighed: bool,
    /// Whether users are told from each other.
    pub users: bool,
    /// Seconds until a click is known.
    pub delay_seconds: f64,
}

/// Lists with propensities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Weighed {
    /// How many they stand for: the sum of their weights.
    pub weights: f64,
    /// The sum of the weights' squares.
    pub squares: f64,
    /// Clicks of those that they stand for.
    pub clicks: f64,
    /// How many there are.
    pub lists: u64,
}

impl Weighed {
    /// One more, with so many clicks.
    pub(super) fn add(&mut self, propensity: f64, clicks: usize) {
        let weight = 1.0 / propensity;
        self.weights += weight;
        self.squares += weight * weight;
        self.clicks += weight * clicks as f64;
        self.lists += 1;
    }

    /// Their mean weight over all lists that were shown, where it lies further from 1 than chance explains.
    pub(super) fn doubtful_mean(&self, shown: u64) -> Option<f64> {
        let lists = shown.max(1) as f64;
        let mean = self.weights / lists;
        let error = ((self.squares / lists - mean * mean).max(0.0) / lists).sqrt();
        (shown >= FEW && (mean - 1.0).abs() > (5.0 * error).max(0.1)).then_some(mean)
    }
}

impl Sum for Weighed {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, own| Self {
            weights: sum.weights + own.weights,
            squares: sum.squares + own.squares,
            clicks: sum.clicks + own.clicks,
            lists: sum.lists + own.lists,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_weight_is_doubted_where_chance_does_not_explain_it() {
        let of = |matched: u64, propensity: f64| {
            let mut all = Weighed::default();
            (0..matched).for_each(|_| all.add(propensity, 0));
            all
        };
        // Of a thousand lists an eighth matched, as it should; propensities of 1 say that all should have.
        assert_eq!(of(125, 0.125).doubtful_mean(1_000), None);
        assert_eq!(of(118, 0.125).doubtful_mean(1_000), None);
        assert_eq!(of(125, 1.0).doubtful_mean(1_000), Some(0.125));
        assert_eq!(of(250, 0.125).doubtful_mean(1_000), Some(2.0));
        assert_eq!(of(0, 0.125).doubtful_mean(99), None);
        let both: Weighed = [of(3, 0.5), of(2, 0.25)].into_iter().sum();
        assert_eq!((both.weights, both.squares, both.lists), (14.0, 44.0, 5));
    }
}
