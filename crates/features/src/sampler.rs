//! Draws of items.

use rand::RngExt;

use crate::catalogue::Catalogue;
use crate::config_items::{NegativesConfig, SamplerKind};
use crate::stream::Stream;

/// Draws before an item that may not come is looked for in order.
const TRIES: usize = 64;

/// A distribution over the items of a catalogue.
#[derive(Clone, Debug)]
pub(crate) enum Sampler {
    Uniform(usize),
    /// Sums of the items' weights.
    Weighted(Vec<f64>),
    /// The items from the most frequent to the rarest, and the rank of each.
    LogUniform(Vec<u32>, Vec<u32>),
}

impl Sampler {
    /// The sampler that a config asks for; `in_batch` draws by frequency where it is asked for probabilities.
    pub(crate) fn new(catalogue: &Catalogue, config: &NegativesConfig) -> Self {
        match config.sampler {
            SamplerKind::Uniform => Self::Uniform(catalogue.len()),
            SamplerKind::Popularity => Self::by_counts(&catalogue.counts, config.power),
            SamplerKind::InBatch => Self::by_counts(&catalogue.counts, 1.0),
            SamplerKind::LogUniform => {
                let mut order: Vec<u32> = (0..catalogue.len() as u32).collect();
                order.sort_by_key(|i| (std::cmp::Reverse(catalogue.counts[*i as usize]), *i));
                let mut ranks = vec![0; order.len()];
                order.iter().enumerate().for_each(|(rank, item)| ranks[*item as usize] = rank as u32);
                Self::LogUniform(order, ranks)
            }
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
            Self::Uniform(items) => rng.random_range(0..*items) as u32,
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
            Self::Uniform(items) => 1.0 / (*items).max(1) as f64,
            Self::Weighted(sums) => {
                let below = if item == 0 { 0.0 } else { sums[item - 1] };
                (sums[item] - below) / sums.last().copied().unwrap_or(1.0).max(f64::MIN_POSITIVE)
            }
            Self::LogUniform(order, ranks) => {
                let k = f64::from(ranks[item]);
                ((k + 2.0) / (k + 1.0)).ln() / (order.len() as f64 + 1.0).ln()
            }
        }
    }

    /// An item that `refused` does not name; nothing where it names all of them.
    pub(crate) fn draw_except(&self, rng: &mut Stream, items: usize, refused: impl Fn(u32) -> bool) -> Option<u32> {
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
            check(&Sampler::new(&catalogue, &NegativesConfig { sampler: kind, ..NegativesConfig::default() }), 4);
        }
        let popular = Sampler::by_counts(&[16, 1], 0.75);
        assert!((popular.probability(0) - 8.0 / 9.0).abs() < 1e-12);
        // The most frequent of 4 items: ln 2 / ln 5.
        let config = NegativesConfig { sampler: SamplerKind::LogUniform, ..NegativesConfig::default() };
        assert!((Sampler::new(&catalogue, &config).probability(2) - 2f64.ln() / 5f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn what_is_refused_never_comes_even_if_it_is_nearly_all() {
        let sampler = Sampler::by_counts(&[1_000_000, 1, 0], 1.0);
        let mut rng = stream(1, "test", 0);
        assert!((0..100).all(|_| sampler.draw_except(&mut rng, 3, |i| i == 0) == Some(1)));
        assert_eq!(sampler.draw_except(&mut rng, 3, |i| i < 2), None);
    }
}
