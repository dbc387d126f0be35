//! Negatives: rows of items that the user is not known to like, or items that stand beside the batch.

use rand::RngExt;

use crate::batch::{Batch, Drawn, Keys, NO_ITEM, Sharing};
use crate::catalogue::Catalogue;
use crate::config_items::{NegativesConfig, SamplerKind};
use crate::sampler::Sampler;
use crate::schema::{Items, Schema};
use crate::stream::{Stream, stream};

/// Adds rows, and what stands beside a batch, in one pass over the training rows.
pub(crate) struct Negatives {
    config: NegativesConfig,
    sampler: Sampler,
    seed: u64,
    epoch: u64,
    rng: Stream,
    lists: u64,
    batches: u64,
}

impl Negatives {
    /// Draws of one epoch of a run's seed.
    pub(crate) fn new(catalogue: &Catalogue, config: &NegativesConfig, seed: u64, epoch: u64) -> Self {
        Self {
            config: config.clone(),
            sampler: Sampler::new(catalogue, config),
            seed,
            epoch,
            rng: stream(seed, "samples", epoch),
            lists: 0,
            batches: 0,
        }
    }

    /// Puts its negatives behind each positive row; they are a list of their own with it.
    pub(crate) fn add_rows(
        &mut self,
        schema: &Schema,
        catalogue: &Catalogue,
        rows: Batch,
        users: &[Option<u32>],
    ) -> Batch {
        let (mut order, mut picks, mut lists) = (Vec::new(), Vec::new(), Vec::new());
        let liked = |row: usize| rows.label[row] > 0.0 && rows.item[row] != NO_ITEM;
        let in_batch = self.config.sampler == SamplerKind::InBatch;
        for row in 0..rows.rows {
            self.lists += 1;
            let wanted = if liked(row) { self.config.per_positive } else { 0 };
            order.push(row as u32);
            picks.push(None);
            lists.push(self.lists);
            for _ in 0..wanted {
                let refused =
                    |item: u32| item == NO_ITEM || catalogue.likes(users[row], item) || item == rows.item[row];
                let drawn = match in_batch {
                    true => (0..64).map(|_| rows.item[self.rng.random_range(0..rows.rows)]).find(|i| !refused(*i)),
                    false => self.sampler.draw_except(&mut self.rng, catalogue.len(), refused),
                };
                if let Some(item) = drawn {
                    order.push(row as u32);
                    picks.push(Some(item));
                    lists.push(self.lists);
                }
            }
        }
        let mut out = rows.take(&order);
        for (label, _) in out.label.iter_mut().zip(&picks).filter(|(_, p)| p.is_some()) {
            *label = 0.0;
        }
        out.group = lists;
        catalogue.replace(schema, &mut out, &picks);
        out
    }

    /// Fills the input of drawn items for a batch that is about to be trained on.
    pub(crate) fn stand_beside(&mut self, items: &Items, catalogue: &Catalogue, batch: &mut Batch) {
        self.batches += 1;
        let index = xxhash_rust::xxh3::xxh3_64_with_seed(&self.batches.to_le_bytes(), self.epoch);
        let mut rng = stream(self.seed, "samples", index);
        if items.takes_the_batch() {
            batch.drawn = Some(self.of_batch(batch));
            return;
        }
        let Some(place) = items.drawn else { return };
        let key = |item: &u32| catalogue.items.keys[items.id].of_row(*item as usize)[0];
        let (drawn, per_row) = match items.context {
            Some(context) => (self.beside_pairs(items, catalogue, batch, context, &mut rng), self.config.per_positive),
            None => ((0..self.config.shared).map(|_| self.sampler.draw(&mut rng)).collect::<Vec<u32>>(), 0),
        };
        let ends = |row: usize| if per_row > 0 { ((row + 1) * per_row) as u32 } else { drawn.len() as u32 };
        let offsets = std::iter::once(0).chain((0..batch.rows).map(ends)).collect();
        batch.keys[place] = Keys::Many { keys: drawn.iter().map(key).collect(), weights: None, offsets };
        batch.drawn = Some(match per_row {
            0 => self.of_all(batch, &drawn),
            k => Drawn { sharing: Sharing::Own(k), ..Drawn::default() },
        });
    }

    /// `k` items a pair, none of them the pair's own.
    fn beside_pairs(
        &self,
        items: &Items,
        catalogue: &Catalogue,
        batch: &Batch,
        context: usize,
        rng: &mut Stream,
    ) -> Vec<u32> {
        let mut drawn = Vec::with_capacity(batch.rows * self.config.per_positive);
        for row in 0..batch.rows {
            let own = [items.id, context].map(|f| batch.keys[f].of_row(row)[0]);
            let refused = |item: u32| own.contains(&catalogue.items.keys[items.id].of_row(item as usize)[0]);
            for _ in 0..self.config.per_positive {
                drawn.push(self.sampler.draw_except(rng, catalogue.len(), refused).unwrap_or(0));
            }
        }
        drawn
    }

    fn log_expected(&self, item: u32, draws: f64) -> f32 {
        let p = if item == NO_ITEM { 0.0 } else { self.sampler.probability(item) };
        (draws * p).max(1e-12).ln() as f32
    }

    /// `S` draws with replacement: an item is expected `S·p` times.
    fn of_all(&self, batch: &Batch, drawn: &[u32]) -> Drawn {
        let draws = drawn.len() as f64;
        let mut by_item: Vec<(u32, u32)> = drawn.iter().enumerate().map(|(s, item)| (*item, s as u32)).collect();
        by_item.sort_unstable();
        let mut hits = Vec::new();
        for (row, item) in batch.item.iter().enumerate() {
            let first = by_item.partition_point(|(i, _)| i < item);
            hits.extend(by_item[first..].iter().take_while(|(i, _)| i == item).map(|(_, s)| (row as u32, *s)));
        }
        Drawn {
            sharing: Sharing::All,
            log_expected_own: batch.item.iter().map(|i| self.log_expected(*i, draws)).collect(),
            log_expected: drawn.iter().map(|i| self.log_expected(*i, draws)).collect(),
            hits,
        }
    }

    /// The batch's own items, each expected as often as it occurs in training.
    fn of_batch(&self, batch: &Batch) -> Drawn {
        let own = self.of_all(batch, &batch.item);
        Drawn { sharing: Sharing::Batch, ..own }
    }
}

impl Catalogue {
    /// Each positive row and behind it `n` other items for its user, none of which any row says the user likes: lists to
    /// rank. Which they are depends on the seed and the number of the row alone.
    pub(crate) fn lists(
        &self,
        schema: &Schema,
        rows: Batch,
        users: &[Option<u32>],
        n: usize,
        seed: u64,
        first: u64,
    ) -> Batch {
        let (mut order, mut picks, mut lists) = (Vec::new(), Vec::new(), Vec::new());
        let uniform = Sampler::Uniform(self.len());
        for row in (0..rows.rows).filter(|r| rows.label[*r] > 0.0 && rows.item[*r] != NO_ITEM) {
            let list = first + row as u64 + 1;
            let mut rng = stream(seed, "candidates", list);
            let mut drawn: Vec<u32> = Vec::with_capacity(n + 1);
            drawn.push(rows.item[row]);
            while drawn.len() <= n {
                let refused = |item: u32| self.likes_ever(users[row], item) || drawn.contains(&item);
                let Some(item) = uniform.draw_except(&mut rng, self.len(), refused) else { break };
                drawn.push(item);
            }
            order.extend(std::iter::repeat_n(row as u32, drawn.len()));
            lists.extend(std::iter::repeat_n(list, drawn.len()));
            picks.extend(drawn.into_iter().enumerate().map(|(i, item)| (i > 0).then_some(item)));
        }
        let mut out = rows.take(&order);
        for (label, _) in out.label.iter_mut().zip(&picks).filter(|(_, p)| p.is_some()) {
            *label = 0.0;
        }
        out.group = lists;
        self.replace(schema, &mut out, &picks);
        out
    }
}
