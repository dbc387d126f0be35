//! First values of rows: a function of (seed, table, key), so that the order of arrival does not matter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How new rows start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// All zeros.
    Zeros,
    /// Normal with this standard deviation.
    Normal(f32),
    /// Uniform in ± this.
    Uniform(f32),
}

/// SplitMix64, counter-based: cheap, and every row has a stream of its own.
struct RowStream(u64);

impl RowStream {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1].
    fn unit(&mut self) -> f32 {
        ((self.next() >> 40) + 1) as f32 / (1u64 << 24) as f32
    }
}

impl Init {
    /// Fills a row's weights.
    pub(crate) fn fill(self, row: &mut [f32], table_seed: u64, key: u64) {
        let mut stream = RowStream(xxh3_64_with_seed(&key.to_le_bytes(), table_seed));
        match self {
            Self::Zeros => row.fill(0.0),
            Self::Uniform(limit) => row.iter_mut().for_each(|w| *w = (2.0 * stream.unit() - 1.0) * limit),
            Self::Normal(deviation) => {
                for pair in row.chunks_mut(2) {
                    let radius = (-2.0 * stream.unit().ln()).sqrt() * deviation;
                    let (sin, cos) = (std::f32::consts::TAU * stream.unit()).sin_cos();
                    pair[0] = radius * cos;
                    if let Some(second) = pair.get_mut(1) {
                        *second = radius * sin;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_depend_on_seed_and_key_only_and_have_the_deviation() {
        let row = |seed, key| {
            let mut row = vec![0.0; 16];
            Init::Normal(0.1).fill(&mut row, seed, key);
            row
        };
        assert_eq!(row(1, 2), row(1, 2));
        assert_ne!(row(1, 2), row(1, 3));
        assert_ne!(row(1, 2), row(2, 2));
        let all: Vec<f32> = (0..2000).flat_map(|k| row(7, k)).collect();
        let mean = all.iter().sum::<f32>() / all.len() as f32;
        let deviation = (all.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / all.len() as f32).sqrt();
        assert!(mean.abs() < 2e-3 && (deviation - 0.1).abs() < 2e-3, "{mean} {deviation}");
    }
}
