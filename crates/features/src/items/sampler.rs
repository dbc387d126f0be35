//! Draws of items.

use rand::RngExt;

use super::catalogue::Catalogue;
use crate::config::{NegativesConfig, SamplerKind};
use crate::stream::Stream;

/// Draws before an item that may not come is looked for in order.
const TRIES: usize = 64;

/// A distribution over the items of a catalogue.
#[derive(Clone, Debug)]
pub(crate) enum Sampler {
    Uniform(Vec<u32>),
    /// Sums of the items' weights.
    Weighted(Vec<f64>),
    /// The items from the most frequent to the rarest, and the rank of each, if it has one.
    LogUniform(Vec<u32>, Vec<Option<u32>>),
}

impl Sampler {
    /// The sampler that a config asks for, over the items that training knows; `in_batch` draws by frequency where it is
    /// asked for probabilities.
    pub(crate) fn new(catalogue: &Catalogue, config: &NegativesConfig, min_count: u32) -> Self {
        let known = catalogue.known(min_count);
        let counts =
            || -> Vec<u32> { catalogue.counts.iter().zip(&known).map(|(n, k)| if *k { *n } else { 0 }).collect() };
        let items = || (0..known.len() as u32).filter(|i| known[*i as usize]);
        match config.sampler {
            SamplerKind::Uniform => Self::Uniform(items().collect()),
            SamplerKind::Popularity => Self::by_counts(&counts(), config.power),
            SamplerKind::InBatch => Self::by_counts(&counts(), 1.0),
            SamplerKind::LogUniform => {
                let mut order: Vec<u32> = items().collect();
                order.sort_by_key(|i| (std::cmp::Reverse(catalogue.counts[*i as usize]), *i));
                let mut ranks = vec![None; known.len()];
                order.iter().enumerate().for_each(|(rank, item)| ranks[*item as usize] = Some(rank as u32));
                Self::LogUniform(order, ranks)
            }
        }
    }

    /// Every item alike, those that training does not know too.
    pub(crate) fn over_all(catalogue: &Catalogue) -> Self {
        Self::Uniform((0..catalogue.len() as u32).collect())
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Uniform(items) | Self::LogUniform(items, _) => items.is_empty(),
            Self::Weighted(sums) => sums.last().copied().unwrap_or(0.0) <= 0.0,
        }
    }

    /// How many items can come.
    pub(crate) fn support(&self) -> usize {
        match self {
            Self::Uniform(items) | Self::LogUniform(items, _) => items.len(),
            Self::Weighted(sums) => (0..sums.len() as u32).filter(|i| self.probability(*i) > 0.0).count(),
        }
    }

    fn by_counts(counts: &[u32], power: f64) -> Self {
        let mut sum = 0.0;
        let add = |count: &u32| {
            sum += if *count == 0 { 0.0 } else { f64::from(*count).powf(power) };
            sum
        };
        Self::Weighted(counts.iter().map(add).collect())
    }

    /// An item.
    pub(crate) fn draw(&self, rng: &mut Stream) -> u32 {
        match self {
            Self::Uniform(items) => items[rng.random_range(0..items.len())],
            Self::Weighted(sums) => {
                let at = rng.random::<f64>() * sums.last().copied().unwrap_or(0.0);
                sums.partition_point(|s| *s <= at).min(sums.len() - 1) as u32
            }
            Self::LogUniform(order, _) => {
                let rank = (rng.random::<f64>() * (order.len() as f64 + 1.0).ln()).exp() - 1.0;
                order[(rank as usize).min(order.len() - 1)]
            }
        }
    }

    /// The probability of an item in one draw.
    pub(crate) fn probability(&self, item: u32) -> f64 {
        let item = item as usize;
        match self {
            Self::Uniform(items) => match items.binary_search(&(item as u32)) {
                Ok(_) => 1.0 / items.len() as f64,
                Err(_) => 0.0,
            },
            Self::Weighted(sums) => {
                let below = if item == 0 { 0.0 } else { sums[item - 1] };
                (sums[item] - below) / sums.last().copied().unwrap_or(1.0).max(f64::MIN_POSITIVE)
            }
            Self::LogUniform(order, ranks) => {
                let Some(rank) = ranks[item] else { return 0.0 };
                let k = f64::from(rank);
                ((k + 2.0) / (k + 1.0)).ln() / (order.len() as f64 + 1.0).ln()
            }
        }
    }

    /// An item that `refused` does not name; nothing where it names all of them.
    pub(crate) fn draw_except(&self, rng: &mut Stream, items: usize, refused: impl Fn(u32) -> bool) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        if let Some(item) = (0..TRIES).map(|_| self.draw(rng)).find(|i| !refused(*i)) {
            return Some(item);
        }
        let start = rng.random_range(0..items);
        let drawable = |i: &u32| self.probability(*i) > 0.0 && !refused(*i);
        (0..items).map(|i| ((start + i) % items) as u32).find(drawable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;
    use crate::stream::stream;

    fn check(sampler: &Sampler, items: usize) {
        let total: f64 = (0..items as u32).map(|i| sampler.probability(i)).sum();
        assert!((total - 1.0).abs() < 1e-9, "{total}");
        let (mut rng, draws) = (stream(1, "test", 0), 200_000);
        let mut counts = vec![0.0; items];
        (0..draws).for_each(|_| counts[sampler.draw(&mut rng) as usize] += 1.0);
        for (item, count) in counts.iter().enumerate() {
            let p = sampler.probability(item as u32);
            let deviation = (p * (1.0 - p) / f64::from(draws)).sqrt();
            assert!((count / f64::from(draws) - p).abs() < 5.0 * deviation + 1e-9, "{item} {p} {count}");
        }
    }

    #[test]
    fn items_come_as_often_as_their_probability_says() {
        let catalogue = Catalogue::made(Batch::default(), vec![5, 0, 100, 1], Vec::new());
        for kind in [SamplerKind::Uniform, SamplerKind::Popularity, SamplerKind::LogUniform, SamplerKind::InBatch] {
            check(&Sampler::new(&catalogue, &NegativesConfig { sampler: kind, ..NegativesConfig::default() }, 1), 4);
        }
        let popular = Sampler::by_counts(&[16, 1], 0.75);
        assert!((popular.probability(0) - 8.0 / 9.0).abs() < 1e-12);
        // The most frequent of the 3 items that training knows: ln 2 / ln 4.
        let config = NegativesConfig { sampler: SamplerKind::LogUniform, ..NegativesConfig::default() };
        assert!((Sampler::new(&catalogue, &config, 1).probability(2) - 2f64.ln() / 4f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn what_is_refused_never_comes_even_if_it_is_nearly_all() {
        let sampler = Sampler::by_counts(&[1_000_000, 1, 0], 1.0);
        let mut rng = stream(1, "test", 0);
        assert!((0..100).all(|_| sampler.draw_except(&mut rng, 3, |i| i == 0) == Some(1)));
        assert_eq!(sampler.draw_except(&mut rng, 3, |i| i < 2), None);
    }
}
