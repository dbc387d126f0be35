//! What is learned from the training rows before training: scales, bounds, vocabularies, the base rate.

use std::collections::BTreeMap;
use std::hash::BuildHasherDefault;

use hashbrown::HashMap;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::curve::Curve;
use crate::config::Transform;
use crate::stream::{Stream, stream};

/// Values kept to fit quantiles; a uniform sample once there are more.
const SAMPLE: usize = 200_000;
/// Points of a fitted quantile map.
const QUANTILE_POINTS: usize = 1000;

/// The fitted scale of a numeric input: `x → (f(x) - shift) / scale`, or a quantile map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumericFit {
    /// Subtracted.
    pub shift: f64,
    /// Divided by.
    pub scale: f64,
    /// Training values at equally spaced ranks, for the quantile map.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<f64>,
}

/// The keys of a categorical input that get rows, most frequent first (ties by key), with their counts.
pub type Vocabulary = Vec<(u64, u32)>;

/// All that was fitted, except the vocabularies, which the tables keep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// Training rows seen while fitting.
    pub rows: u64,
    /// Sum of hashes of all their keys: other ids give another one.
    pub keys: String,
    /// What the rows of each side came to, by its name: other rows give another sum.
    #[serde(default)]
    pub sides: BTreeMap<String, String>,
    /// What was found of each task's labels.
    pub targets: Vec<TargetFit>,
    /// Fingerprint of the catalogue, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalogue: Option<String>,
    /// Fingerprint of the trees, where there are some: what learned from their leaves belongs to no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trees: Option<String>,
    /// One entry a numeric input.
    pub numeric: Vec<NumericFit>,
    /// One entry a categorical input: the bounds of a bucket field.
    pub bounds: Vec<Vec<f64>>,
    /// What the log-odds of some tasks become, by their names; of the weights that they were fitted behind, and no others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub curves: BTreeMap<String, Curve>,
}

/// What the training rows say of a task's label.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetFit {
    /// Rows whose label is known.
    pub known: u64,
    /// Their mean label, weighted; where negatives are drawn as rows, with those.
    pub mean: f64,
    /// The share of each class, weighted; empty where the label is not one of several classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<f64>,
}

impl Fitted {
    /// What is known of `tasks` tasks without rows to fit on: labels that are 1 in this share of them.
    pub fn assumed(tasks: usize, share: f64) -> Self {
        Self {
            rows: 0,
            keys: String::new(),
            sides: Default::default(),
            targets: vec![TargetFit { known: 1, mean: share, shares: Vec::new() }; tasks],
            catalogue: None,
            trees: None,
            numeric: Vec::new(),
            bounds: Vec::new(),
            curves: BTreeMap::new(),
        }
    }

    /// What is wrong with it, where something is: it is read from files, and rows are scaled and numbered by it.
    ///
    /// # Errors
    /// Counts that are not those of the inputs, and numbers that are not finite.
    pub fn check(&self, targets: &[usize], numeric: usize, categorical: usize) -> Result<(), String> {
        let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
        let scaled = |n: &NumericFit| finite(&[n.shift, n.scale]) && n.scale != 0.0 && finite(&n.points);
        let known = |(fit, classes): (&TargetFit, &usize)| {
            finite(&[fit.mean]) && finite(&fit.shares) && fit.shares.len() == *classes
        };
        match () {
            () if self.targets.len() != targets.len() => Err("has labels of other tasks".into()),
            () if (self.numeric.len(), self.bounds.len()) != (numeric, categorical) => Err("has other inputs".into()),
            () if !self.targets.iter().zip(targets).all(known) => Err("has rates of labels that are none".into()),
            () if !self.curves.values().all(Curve::is_sound) => Err("has calibrations that are none".into()),
            () if !(self.numeric.iter().all(scaled) && self.bounds.iter().all(|b| finite(b))) => {
                Err("has scales that are no numbers".into())
            }
            () => Ok(()),
        }
    }
}

/// Keys are already hashes.
#[derive(Clone, Default)]
pub(crate) struct KeyHasher(u64);

impl std::hash::Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// Counts of keys.
#[derive(Default)]
pub(crate) struct KeyCounts(HashMap<u64, u32, BuildHasherDefault<KeyHasher>>);

impl KeyCounts {
    pub(crate) fn add(&mut self, keys: &[u64]) {
        for &key in keys.iter().filter(|k| **k != 0) {
            *self.0.entry(key).or_insert(0) += 1;
        }
    }

    pub(crate) fn vocabulary(self, min_count: u32) -> Vocabulary {
        let mut kept: Vocabulary = self.0.into_iter().filter(|(_, n)| *n >= min_count).collect();
        kept.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        kept
    }
}

/// Running mean and variance, extremes, and a uniform sample of a number.
pub(crate) struct NumberFacts {
    count: f64,
    mean: f64,
    squares: f64,
    low: f64,
    high: f64,
    sample: Vec<f64>,
    rng: Stream,
}

impl NumberFacts {
    pub(crate) fn new(name: &str) -> Self {
        let rng = stream(0, "quantile sample", xxhash_rust::xxh3::xxh3_64(name.as_bytes()));
        Self {
            count: 0.0,
            mean: 0.0,
            squares: 0.0,
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
            sample: Vec::new(),
            rng,
        }
    }

    pub(crate) fn add(&mut self, x: f64) {
        self.count += 1.0;
        let delta = x - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (x - self.mean);
        self.low = self.low.min(x);
        self.high = self.high.max(x);
        if self.sample.len() < SAMPLE {
            self.sample.push(x);
        } else {
            let at = self.rng.random_range(0..self.count as u64);
            if (at as usize) < SAMPLE {
                self.sample[at as usize] = x;
            } else {
                // One draw a value either way, so that the sample does not depend on its own size.
                let _ = self.rng.next_u32();
            }
        }
    }

    fn quantiles(&mut self, cuts: usize) -> Vec<f64> {
        self.sample.sort_by(f64::total_cmp);
        let at = |i: usize| self.sample[(i * (self.sample.len() - 1)) / cuts];
        match self.sample.is_empty() {
            true => Vec::new(),
            false => (0..=cuts).map(at).collect(),
        }
    }

    /// The bounds of equally filled buckets, each once.
    pub(crate) fn bounds(mut self, buckets: usize) -> Vec<f64> {
        let points = self.quantiles(buckets);
        let mut bounds: Vec<f64> = points.into_iter().skip(1).take(buckets - 1).collect();
        bounds.dedup();
        bounds
    }

    pub(crate) fn fit(mut self, transform: Transform) -> NumericFit {
        let positive = |s: f64| if s > 0.0 && s.is_finite() { s } else { 1.0 };
        match transform {
            Transform::None => NumericFit { shift: 0.0, scale: 1.0, points: Vec::new() },
            Transform::Zscore | Transform::Log1p => {
                let deviation = (self.squares / self.count.max(1.0)).sqrt();
                NumericFit { shift: self.mean, scale: positive(deviation), points: Vec::new() }
            }
            Transform::MinMax => {
                let shift = if self.low.is_finite() { self.low } else { 0.0 };
                NumericFit { shift, scale: positive(self.high - self.low), points: Vec::new() }
            }
            Transform::Age => {
                let shift = if self.high.is_finite() { self.high } else { 0.0 };
                NumericFit { shift, scale: -positive(self.high - self.low), points: Vec::new() }
            }
            Transform::Quantile => NumericFit { shift: 0.0, scale: 1.0, points: self.quantiles(QUANTILE_POINTS) },
        }
    }
}

/// The first half of a transform, before the fitted shift and scale.
pub(crate) fn squeeze(transform: Transform, x: f64) -> f64 {
    match transform {
        Transform::Log1p => x.signum() * x.abs().ln_1p(),
        _ => x,
    }
}

impl NumericFit {
    /// The input of a value.
    pub(crate) fn apply(&self, transform: Transform, x: f64) -> f32 {
        if transform == Transform::Quantile {
            let below = self.points.partition_point(|p| *p < x);
            return below as f32 / self.points.len().max(1) as f32;
        }
        ((squeeze(transform, x) - self.shift) / self.scale) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(values: impl IntoIterator<Item = f64>) -> NumberFacts {
        let mut facts = NumberFacts::new("x");
        values.into_iter().for_each(|x| facts.add(x));
        facts
    }

    #[test]
    fn what_could_not_have_been_fitted_is_refused() {
        let numeric = NumericFit { shift: 0.0, scale: 1.0, points: Vec::new() };
        let target = TargetFit { known: 3, mean: 0.5, shares: vec![0.5, 0.5] };
        let good = Fitted {
            rows: 3,
            keys: String::new(),
            sides: Default::default(),
            targets: vec![target],
            catalogue: None,
            trees: None,
            numeric: vec![numeric],
            bounds: vec![Vec::new()],
            curves: BTreeMap::new(),
        };
        assert_eq!(good.check(&[2], 1, 1), Ok(()));
        assert!(
            good.check(&[0], 1, 1).is_err() && good.check(&[2, 0], 1, 1).is_err() && good.check(&[2], 2, 1).is_err()
        );
        let odd: [fn(&mut Fitted); 4] = [
            |f| f.numeric[0].scale = f64::NAN,
            |f| f.numeric[0].scale = 0.0,
            |f| f.targets[0].mean = f64::NAN,
            |f| f.bounds[0].push(f64::INFINITY),
        ];
        for change in odd {
            let mut changed = good.clone();
            change(&mut changed);
            assert!(changed.check(&[2], 1, 1).is_err(), "{changed:?}");
        }
    }

    #[test]
    fn transforms_match_hand_computed_values() {
        let z = facts([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).fit(Transform::Zscore);
        assert_eq!((z.shift, z.scale), (5.0, 2.0));
        assert_eq!(z.apply(Transform::Zscore, 9.0), 2.0);
        let m = facts([10.0, 30.0]).fit(Transform::MinMax);
        assert_eq!(m.apply(Transform::MinMax, 15.0), 0.25);
        let q = facts((0..1001).map(f64::from)).fit(Transform::Quantile);
        assert!((q.apply(Transform::Quantile, 250.0) - 0.25).abs() < 2e-3);
        assert_eq!(q.apply(Transform::Quantile, -5.0), 0.0);
        assert_eq!(q.apply(Transform::Quantile, 5e3), 1.0);
        assert!((squeeze(Transform::Log1p, -1.0) + 2f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn a_constant_column_scales_to_zero_not_to_infinity() {
        let z = facts([3.0; 10]).fit(Transform::Zscore);
        assert_eq!(z.apply(Transform::Zscore, 3.0), 0.0);
    }

    #[test]
    fn bucket_bounds_fill_equally_and_drop_repeats() {
        assert_eq!(facts((0..100).map(f64::from)).bounds(4), [24.0, 49.0, 74.0]);
        assert_eq!(facts([1.0; 50]).bounds(4), [1.0]);
    }

    #[test]
    fn vocabularies_drop_rare_keys_and_order_by_count_then_key() {
        let mut counts = KeyCounts::default();
        counts.add(&[5, 5, 3, 3, 9, 0, 0]);
        assert_eq!(counts.vocabulary(2), [(3, 2), (5, 2)]);
    }
}
