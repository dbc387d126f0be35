//! Which new ids of growing tables get rows, beside how often they must have been seen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How ids of growing tables are let in. By default sightings are counted exactly, where `min_count` asks for more than one; of what
/// waits then 4 million ids are kept, and those of long ago are forgotten first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admission {
    /// The chance of an id that has no row to get one each time it is seen, above 0 and at most 1; instead of `min_count`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Count sightings in a counting Bloom filter of so many MiB: an id may get its row early, and none late.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65536))]
    pub bloom_mib: Option<usize>,
}

impl Admission {
    /// What is wrong with it: a key and why.
    ///
    /// # Errors
    /// Settings out of range, or that do not go together.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        match (self.probability, self.bloom_mib) {
            (None, None) => Err(("probability", "and bloom_mib are both absent; give one, or remove train.admit")),
            (Some(_), Some(_)) => {
                Err(("bloom_mib", "counts sightings, which probability goes without; give one of them"))
            }
            (Some(p), None) if !(p > 0.0 && p <= 1.0) => Err(("probability", "must be above 0 and at most 1")),
            (None, Some(mib)) if !(1..=1 << 16).contains(&mib) => Err(("bloom_mib", "must lie in 1..=65536")),
            _ => Ok(()),
        }
    }
}

/// Hashes of an id in the filter.
const HASHES: u64 = 4;

/// A counting Bloom filter of bytes with conservative updates: only the smallest of an id's counters grow. It over-estimates only.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bloom(pub(crate) Vec<u8>);

impl Bloom {
    pub(crate) fn new(mib: usize) -> Self {
        Self(vec![0; mib << 20])
    }

    /// Counts a sighting; how many there were, 255 at most.
    pub(crate) fn see(&mut self, key: u64) -> u32 {
        let length = self.0.len() as u64;
        let places: [usize; HASHES as usize] =
            std::array::from_fn(|n| (xxh3_64_with_seed(&key.to_le_bytes(), n as u64) % length) as usize);
        let least = places.iter().map(|p| self.0[*p]).min().unwrap_or(0);
        let next = least.saturating_add(1);
        places.iter().for_each(|p| self.0[*p] = self.0[*p].max(next));
        u32::from(next)
    }
}

/// Whether an id that is seen at a step is let in by chance.
pub(super) fn drawn(probability: f64, seed: u64, key: u64, step: u64) -> bool {
    let draw = xxh3_64_with_seed(&step.to_le_bytes(), key ^ seed) >> 11;
    (draw as f64) < probability * (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_never_counts_too_little_and_seldom_too_much() {
        let mut bloom = Bloom(vec![0; 40_000]);
        let mut early = 0;
        for key in 1..=5000u64 {
            let times = 1 + key % 3;
            (1..=times).for_each(|time| {
                let seen = bloom.see(key);
                assert!(u64::from(seen) >= time);
                early += u64::from(u64::from(seen) > time);
            });
        }
        assert!(early < 300, "{early}");
        let mut full = Bloom(vec![0; 8]);
        (0..600).for_each(|_| _ = full.see(3));
        assert_eq!(full.see(3), 255);
    }

    #[test]
    fn chances_are_what_they_are_called_and_follow_from_the_step() {
        let hits = (0..100_000u64).filter(|key| drawn(0.1, 7, *key, 3)).count();
        assert!((9_500..10_500).contains(&hits), "{hits}");
        assert!((0..100u64).all(|key| drawn(1.0, 7, key, 3)));
        assert!((0..64u64).any(|step| drawn(0.1, 7, 5, step)) && (0..64u64).any(|step| !drawn(0.1, 7, 5, step)));
    }
}
