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

/// The interval of an estimate; none where resamples say nothing.
pub fn bootstrap(terms: &Terms, resamples: usize, seed: u64) -> Option<Interval> {
    let rows = terms.top.len();
    let one = |number: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(stream_seed(seed, "bootstrap", number as u64));
        let (mut top, mut bottom) = (0.0, 0.0);
        for _ in 0..rows {
            let row = rng.random_range(0..rows);
            top += terms.top[row];
            bottom += terms.bottom.as_ref().map_or(1.0, |bottom| bottom[row]);
        }
        (bottom > 0.0).then(|| top / bottom)
    };
    let mut values: Vec<f64> = (0..resamples).into_par_iter().filter_map(one).collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |share: f64| {
        let place = share * last as f64;
        let (low, part) = (place.floor() as usize, place.fract());
        values[low] + part * (values[(low + 1).min(last)] - values[low])
    };
    Some(Interval { low: at(0.025), high: at(0.975) })
}
