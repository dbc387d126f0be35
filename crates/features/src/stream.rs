//! Named, seeded streams of random draws: one a purpose, so that a changed sampler changes nothing else.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A stream's generator.
pub type Stream = ChaCha8Rng;

/// The seed of the stream `name` at `index` (an epoch, a step, a key) of a run's seed.
pub fn stream_seed(seed: u64, name: &str, index: u64) -> u64 {
    xxh3_64_with_seed(&index.to_le_bytes(), xxh3_64_with_seed(name.as_bytes(), seed))
}

/// The generator of the stream `name` at `index`.
pub(crate) fn stream(seed: u64, name: &str, index: u64) -> Stream {
    Stream::seed_from_u64(stream_seed(seed, name, index))
}
