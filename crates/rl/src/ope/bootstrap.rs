//! Intervals by resampling (Efron 1979): rows, or slates, drawn anew with replacement.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use burnrec_features::stream_seed;

use super::estimators::Terms;

/// An interval of 95%.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The intervals of estimates over the same rows, or slates, from the same resamples; none where resamples say nothing.
pub fn bootstrap(all: &[Terms], resamples: usize, seed: u64) -> Vec<Option<Interval>> {
    let rows = all.first().map_or(0, |terms| terms.top.len());
    let one = |number: usize| -> Vec<Option<f64>> {
        let mut rng = ChaCha8Rng::seed_from_u64(stream_seed(seed, "bootstrap", number as u64));
        // How often each row was drawn, so that terms are read in their order.
        let mut times = vec![0u32; rows];
        (0..rows).for_each(|_| times[rng.random_range(0..rows)] += 1);
        let sum = |of: &[f64]| of.iter().zip(&times).map(|(x, times)| x * f64::from(*times)).sum::<f64>();
        let value = |terms: &Terms| {
            let bottom = terms.bottom.as_ref().map_or(rows as f64, |bottom| sum(bottom));
            (bottom > 0.0).then(|| sum(&terms.top) / bottom)
        };
        all.iter().map(value).collect()
    };
    let drawn: Vec<Vec<Option<f64>>> = (0..resamples).into_par_iter().map(one).collect();
    (0..all.len()).map(|number| interval(drawn.iter().filter_map(|values| values[number]).collect())).collect()
}

/// The middle 95% of some values.
fn interval(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |share: f64| {
        let place = share * last as f64;
        let (low, part) = (place.floor() as usize, place.fract());
        values[low] + part * (values[(low + 1).min(last)] - values[low])
    };
    Some(Interval { low: at(0.025), high: at(0.975) })
}
