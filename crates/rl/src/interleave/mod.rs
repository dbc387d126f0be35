//! Several rankings shown as one list, and how much of its clicks each of them earned.
//!
//! Probabilistic interleaving (Hofmann et al. 2011; of more than two rankings Schuth et al. 2015) and team draft (Radlinski et
//! al. 2008). A ranking is an order of candidates, the best first.

mod probabilistic;
mod team;

pub use probabilistic::{choice, probabilistic};
pub use team::team_draft;

/// A list made of several rankings.
#[derive(Clone, Debug, PartialEq)]
pub struct Interleaved {
    /// The candidates shown, the first place first.
    pub slate: Vec<usize>,
    /// For each place, how probable it is that each ranking put its candidate there: numbers that sum to 1.
    pub share: Vec<Vec<f64>>,
}

impl Interleaved {
    /// The clicks that each ranking is expected to have earned.
    pub fn credit(&self, clicks: &[bool]) -> Vec<f64> {
        credit(&self.share, clicks)
    }
}

/// The clicks that each ranking is expected to have earned, from the shares of each place.
pub fn credit(share: &[Vec<f64>], clicks: &[bool]) -> Vec<f64> {
    let mut credit = vec![0.0; share.first().map_or(0, Vec::len)];
    for (place, _) in share.iter().zip(clicks).filter(|(_, clicked)| **clicked) {
        credit.iter_mut().zip(place).for_each(|(sum, share)| *sum += share);
    }
    credit
}

/// The ranking that earned more than every other; none where several did, or nobody clicked.
pub fn winner(credit: &[f64]) -> Option<usize> {
    let best = (0..credit.len()).max_by(|a, b| credit[*a].total_cmp(&credit[*b]))?;
    let near = |other: &f64| (other - credit[best]).abs() <= 1e-9 * credit[best].abs();
    (credit[best] > 0.0 && credit.iter().filter(|other| near(other)).count() == 1).then_some(best)
}
