//! Negatives: rows of items that the user is not known to like, or items that stand beside the batch.

use hashbrown::HashSet;
use rand::RngExt;

use crate::batch::{Batch, Drawn, Keys, NO_ITEM, NO_NEGATIVE, NO_USER, Sharing};
use crate::config::{IndexPolicy, NegativesConfig, SamplerKind};
use crate::error::{FeatureError, bad};
use crate::items::catalogue::Catalogue;
use crate::items::sampler::Sampler;
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
    ///
    /// # Errors
    /// Too few items that can be drawn.
    pub(crate) fn new(
        schema: &Schema,
        catalogue: &Catalogue,
        config: &NegativesConfig,
        seed: u64,
        epoch: u64,
    ) -> Result<Self, FeatureError> {
        let id = schema.items.as_ref().map(|i| &schema.categorical[i.id]);
        let vocabulary = id.filter(|id| id.index == IndexPolicy::Vocabulary);
        let sampler = Sampler::new(catalogue, config, vocabulary.map_or(1, |id| id.min_count));
        let pairs = schema.items.as_ref().is_some_and(|i| i.pairs.is_some());
        let (found, needed) = (sampler.support(), if pairs { 3 } else { 1 });
        let draws = config.per_positive > 0 || config.shared > 0 || config.sampler == SamplerKind::InBatch;
        if draws && found < needed {
            let problem = format!(
                "{found} items can be drawn, and {needed} are needed; only items of enough training rows can (min_count of the item's field), and by popularity only those of positive rows"
            );
            return Err(bad("features.negatives", problem));
        }
        let rng = stream(seed, "samples", epoch);
        Ok(Self { config: config.clone(), sampler, seed, epoch, rng, lists: 0, batches: 0 })
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
        let task = schema.liked();
        let liked = |row: usize| rows.targets.value(row, task) > 0.0 && rows.item[row] != NO_ITEM;
        let in_batch = self.config.sampler == SamplerKind::InBatch;
        for (row, user) in users.iter().enumerate() {
            self.lists += 1;
            let wanted = if liked(row) { self.config.per_positive } else { 0 };
            order.push(row as u32);
            picks.push(None);
            lists.push(self.lists);
            for _ in 0..wanted {
                let refused = |item: u32| item == NO_ITEM || catalogue.likes(*user, item) || item == rows.item[row];
                let drawn = match in_batch {
                    // Where the rows read with it have none, one that is drawn as often as it occurs.
                    true => (0..64)
                        .map(|_| rows.item[self.rng.random_range(0..rows.rows)])
                        .find(|i| !refused(*i))
                        .or_else(|| self.sampler.draw_except(&mut self.rng, catalogue.len(), refused)),
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
        draw(&mut out, schema, &picks);
        out.group = lists;
        catalogue.replace(schema, &mut out, &picks);
        out
    }

    /// Fills the input of drawn items for a batch that is about to be trained on.
    pub(crate) fn stand_beside(&mut self, items: &Items, catalogue: &Catalogue, batch: &mut Batch) {
        self.batches += 1;
        // An item that cannot be drawn is no class: training knows no vector of it.
        for (row, item) in batch.item.iter().enumerate().filter(|_| items.pairs.is_none()) {
            if *item == NO_ITEM || self.sampler.probability(*item) <= 0.0 {
                batch.targets.set(row, items.liked, 0.0);
            }
        }
        let index = xxhash_rust::xxh3::xxh3_64_with_seed(&self.batches.to_le_bytes(), self.epoch);
        let mut rng = stream(self.seed, "samples", index);
        if items.takes_the_batch() {
            batch.drawn = Some(self.of_batch(catalogue, batch, items.liked));
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
            0 => self.of_all(catalogue, batch, &drawn),
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
    fn of_all(&self, catalogue: &Catalogue, batch: &Batch, drawn: &[u32]) -> Drawn {
        let draws = drawn.len() as f64;
        let mut by_item: Vec<(u32, u32)> = drawn.iter().enumerate().map(|(s, item)| (*item, s as u32)).collect();
        by_item.sort_unstable();
        let mut hits = Vec::new();
        for (row, item) in batch.item.iter().enumerate() {
            let first = by_item.partition_point(|(i, _)| i < item);
            hits.extend(by_item[first..].iter().take_while(|(i, _)| i == item).map(|(_, s)| (row as u32, *s)));
            let user = batch.user.get(row).copied().filter(|u| *u != NO_USER);
            for other in catalogue.liked(user).iter().filter(|other| *other != item) {
                let first = by_item.partition_point(|(i, _)| i < other);
                hits.extend(by_item[first..].iter().take_while(|(i, _)| i == other).map(|(_, s)| (row as u32, *s)));
            }
        }
        Drawn {
            sharing: Sharing::All,
            log_expected_own: batch.item.iter().map(|i| self.log_expected(*i, draws)).collect(),
            log_expected: drawn.iter().map(|i| self.log_expected(*i, draws)).collect(),
            hits,
        }
    }

    /// The own items of the batch's positive rows, each expected as often as it occurs in training.
    fn of_batch(&self, catalogue: &Catalogue, batch: &Batch, liked: usize) -> Drawn {
        let mut own = self.of_all(catalogue, batch, &batch.item);
        let not_positive = |(row, _): &(usize, &mut f32)| batch.targets.value(*row, liked) <= 0.0;
        own.log_expected.iter_mut().enumerate().filter(not_positive).for_each(|(_, expected)| *expected = NO_NEGATIVE);
        Drawn { sharing: Sharing::Batch, ..own }
    }
}

/// Rows that were drawn are not liked, nor anything that follows from it; of other tasks they say nothing.
fn draw(rows: &mut Batch, schema: &Schema, picks: &[Option<u32>]) {
    let is_zero = schema.zero_where_drawn();
    (0..rows.rows).filter(|row| picks[*row].is_some()).for_each(|row| rows.targets.draw(row, &is_zero));
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
        let uniform = Sampler::over_all(self);
        for row in (0..rows.rows).filter(|r| rows.targets.value(*r, schema.liked()) > 0.0 && rows.item[*r] != NO_ITEM) {
            let list = first + row as u64 + 1;
            let mut rng = stream(seed, "candidates", list);
            let mut drawn: Vec<u32> = Vec::with_capacity(n + 1);
            drawn.push(rows.item[row]);
            let mut taken: HashSet<u32> = drawn.iter().copied().collect();
            while drawn.len() <= n {
                let refused = |item: u32| taken.contains(&item) || self.likes_ever(users[row], item);
                let Some(item) = uniform.draw_except(&mut rng, self.len(), refused) else { break };
                drawn.push(item);
                taken.insert(item);
            }
            order.extend(std::iter::repeat_n(row as u32, drawn.len()));
            lists.extend(std::iter::repeat_n(list, drawn.len()));
            picks.extend(drawn.into_iter().enumerate().map(|(i, item)| (i > 0).then_some(item)));
        }
        let mut out = rows.take(&order);
        draw(&mut out, schema, &picks);
        out.group = lists;
        self.replace(schema, &mut out, &picks);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Targets;
    use crate::config::TargetConfig;
    use crate::items::catalogue::Seen;

    /// 12 items in 3 kinds, four users; user u likes items u, u+4 and u+8 in training, and saw u+1 without liking it.
    fn made(negatives: serde_json::Value) -> (Schema, Catalogue, Batch, Vec<Option<u32>>) {
        let fields = serde_json::json!({
            "item": "categorical", "kind": "categorical", "user": "categorical",
            "both": { "kind": "cross", "of": ["user", "kind"] },
        });
        let features = serde_json::json!({
            "fields": fields, "negatives": negatives,
            "items": { "id": "item", "user": "user", "fields": ["kind"] },
        });
        let schema = Schema::new(&serde_json::from_value(features).unwrap(), &[TargetConfig::of("y")]).unwrap();
        let none = || Keys::One(vec![0; 12]);
        let mut items =
            vec![Keys::One((1..=12).collect()), Keys::One((0..12).map(|i| 101 + i % 3).collect()), none(), none()];
        items.resize(schema.categorical.len(), Keys::One(vec![0; 12]));
        let items = Batch { rows: 12, keys: items, ..Batch::default() };
        let did = |item: u32, liked: bool| Seen { item, liked, time: 0 };
        let user = |u: u32| vec![did(u, true), did(u + 4, true), did(u + 8, true), did((u + 1) % 12, false)];
        let catalogue = Catalogue::made(items, vec![1; 12], (0..4).map(user).collect());
        let users: Vec<u32> = (0..40).map(|r| r % 4).collect();
        let item = |r: usize| users[r] + 4 * (r as u32 / 4 % 3);
        let mut batch = Batch {
            rows: 40,
            keys: vec![
                Keys::One((0..40).map(|r| u64::from(item(r)) + 1).collect()),
                Keys::One((0..40).map(|r| 101 + u64::from(item(r)) % 3).collect()),
                Keys::One(users.iter().map(|u| 201 + u64::from(*u)).collect()),
                Keys::One(vec![0; 40]),
            ],
            targets: Targets::one((0..40).map(|r| f32::from(u8::from(r % 5 != 0))).collect()),
            item: (0..40).map(item).collect(),
            ..Batch::default()
        };
        batch.keys.resize(schema.categorical.len(), Keys::none(true, 40));
        schema.fill_crosses(&mut batch);
        (schema, catalogue, batch, users.into_iter().map(Some).collect())
    }

    fn one(batch: &Batch, place: usize) -> &[u64] {
        match &batch.keys[place] {
            Keys::One(keys) | Keys::Many { keys, .. } => keys,
        }
    }

    #[test]
    fn added_rows_are_items_that_the_user_is_not_known_to_like_with_all_that_is_theirs() {
        for sampler in ["uniform", "popularity", "log_uniform", "in_batch"] {
            let (schema, catalogue, batch, users) = made(serde_json::json!({ "per_positive": 3, "sampler": sampler }));
            let config = schema.items.as_ref().unwrap().negatives.clone().unwrap();
            let positives = batch.targets.values.iter().filter(|y| **y > 0.0).count();
            let draw = |seed, epoch| {
                Negatives::new(&schema, &catalogue, &config, seed, epoch).unwrap().add_rows(
                    &schema,
                    &catalogue,
                    batch.clone(),
                    &users,
                )
            };
            let out = draw(1, 0);
            assert_eq!(out.rows, 40 + 3 * positives, "{sampler}");
            for row in 0..out.rows {
                let (item, kind, user) = (one(&out, 0)[row] - 1, one(&out, 1)[row], (one(&out, 2)[row] - 201) as u32);
                assert_eq!((u64::from(out.item[row]), kind), (item, 101 + item % 3));
                let likes = catalogue.likes(Some(user), item as u32);
                assert!(out.targets.value(row, 0) == 0.0 || likes, "{sampler}");
                let drawn = row > 0 && out.group[row] == out.group[row - 1];
                assert!(!(drawn && likes), "{sampler}: user {user} likes {item}");
            }
            let mut crosses = out.clone();
            schema.fill_crosses(&mut crosses);
            assert_eq!(crosses, out);
            assert_eq!(draw(1, 0), out);
            assert_ne!(draw(1, 1), out);
            assert_ne!(draw(2, 0), out);
        }
    }

    #[test]
    fn lists_hold_each_item_once_whatever_the_batch() {
        let (schema, catalogue, batch, users) = made(serde_json::json!({ "evaluate": 6 }));
        let lists = catalogue.lists(&schema, batch.clone(), &users, 6, 9, 0);
        for list in lists.group.chunk_by(|a, b| a == b) {
            assert_eq!(list.len(), 7);
        }
        for at in (0..lists.rows).step_by(7) {
            let mut items = lists.item[at..at + 7].to_vec();
            assert_eq!(lists.targets.values[at..at + 7].iter().sum::<f32>(), 1.0);
            items.sort_unstable();
            items.dedup();
            assert_eq!(items.len(), 7);
        }
        let (head, tail): (Vec<u32>, Vec<u32>) = ((0..13).collect(), (13..40).collect());
        let mut parts = catalogue.lists(&schema, batch.take(&head), &users[..13], 6, 9, 0);
        parts.append(&catalogue.lists(&schema, batch.take(&tail), &users[13..], 6, 9, 13));
        assert_eq!(parts, lists);
        // Nine items are not liked: a longer list stops there.
        let long = catalogue.lists(&schema, batch, &users, 50, 9, 0);
        assert!(long.group.chunk_by(|a, b| a == b).all(|l| l.len() == 10));
    }

    #[test]
    fn a_shared_draw_says_how_often_items_are_expected_and_where_it_hit() {
        let (schema, catalogue, batch, _) = made(serde_json::json!({ "shared": 30, "sampler": "popularity" }));
        let items = schema.items.as_ref().unwrap();
        let mut negatives = Negatives::new(&schema, &catalogue, items.negatives.as_ref().unwrap(), 1, 0).unwrap();
        let mut batch = batch;
        negatives.stand_beside(items, &catalogue, &mut batch);
        let drawn = batch.drawn.clone().unwrap();
        let place = items.drawn.unwrap();
        let keys = one(&batch, place).to_vec();
        assert_eq!((keys.len(), drawn.log_expected.len(), drawn.sharing), (30, 30, Sharing::All));
        // All twelve items are alike: each is expected 30 / 12 times.
        assert!(drawn.log_expected.iter().chain(&drawn.log_expected_own).all(|q| (q - 2.5f32.ln()).abs() < 1e-6));
        let hits: Vec<(u32, u32)> = (0..40u32)
            .flat_map(|row| (0..30u32).map(move |s| (row, s)))
            .filter(|(row, s)| keys[*s as usize] == one(&batch, 0)[*row as usize])
            .collect();
        let mut found = drawn.hits.clone();
        found.sort_unstable();
        assert_eq!(found, hits);
        let first = batch.clone();
        negatives.stand_beside(items, &catalogue, &mut batch);
        assert_ne!(one(&batch, place), one(&first, place));
    }

    #[test]
    fn items_that_training_does_not_know_and_those_that_a_user_likes_are_no_negatives() {
        let (schema, mut catalogue, mut batch, users) = made(serde_json::json!({ "shared": 400 }));
        (catalogue.rows[3], catalogue.counts[3]) = (0, 0);
        let items = schema.items.as_ref().unwrap();
        batch.user = users.iter().map(|u| u.unwrap()).collect();
        Negatives::new(&schema, &catalogue, items.negatives.as_ref().unwrap(), 1, 0)
            .unwrap()
            .stand_beside(items, &catalogue, &mut batch);
        let keys = one(&batch, items.drawn.unwrap()).to_vec();
        assert!(!keys.contains(&4) && (1..=12).filter(|k| *k != 4).all(|k| keys.contains(&k)));
        let hits = batch.drawn.unwrap().hits;
        for (s, key) in keys.iter().enumerate() {
            for row in 0..40u32 {
                let liked = catalogue.likes(Some(batch.user[row as usize]), *key as u32 - 1);
                assert_eq!(hits.contains(&(row, s as u32)), liked || batch.item[row as usize] == *key as u32 - 1);
            }
        }
    }

    #[test]
    fn in_the_batch_every_row_hits_itself() {
        let (schema, catalogue, mut batch, _) = made(serde_json::json!({ "sampler": "in_batch" }));
        let items = schema.items.as_ref().unwrap();
        Negatives::new(&schema, &catalogue, items.negatives.as_ref().unwrap(), 1, 0)
            .unwrap()
            .stand_beside(items, &catalogue, &mut batch);
        let drawn = batch.drawn.unwrap();
        assert!((0..40).all(|row| drawn.hits.contains(&(row, row))));
        assert_eq!((drawn.sharing, drawn.log_expected.len()), (Sharing::Batch, 40));
        // Rows that are not positive are no negatives to others.
        for (expected, label) in drawn.log_expected.iter().zip(&batch.targets.values) {
            assert_eq!(*expected == NO_NEGATIVE, *label == 0.0);
        }
    }
}
