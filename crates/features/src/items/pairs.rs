//! ItemPairs of items that stand near each other: in what a user liked, or on random walks over the graph of transitions.

use hashbrown::HashMap;
use rand::RngExt;
use rand::seq::SliceRandom;

use crate::batch::{Batch, Keys, Targets};
use crate::config::PairsConfig;
use crate::items::catalogue::{Catalogue, Seen};
use crate::schema::Schema;
use crate::stream::{Stream, stream};

/// ItemPairs that come out at once, at least.
const CHUNK: usize = 8192;

/// The items that follow an item, with the sums of how often.
type Edges = HashMap<u32, (Vec<u32>, Vec<f64>)>;

/// The pairs of one epoch, as batches.
pub(crate) struct ItemPairs<'a> {
    schema: &'a Schema,
    catalogue: &'a Catalogue,
    config: &'a PairsConfig,
    rng: Stream,
    /// Users, or items that walks start at, in the order of this epoch.
    starts: Vec<u32>,
    at: usize,
    edges: Edges,
    kept: Vec<f64>,
}

impl<'a> ItemPairs<'a> {
    /// The pairs of an epoch of a run's seed.
    pub(crate) fn new(
        schema: &'a Schema,
        catalogue: &'a Catalogue,
        config: &'a PairsConfig,
        seed: u64,
        epoch: u64,
    ) -> Self {
        let mut rng = stream(seed, "pairs", epoch);
        let walks = config.walk_length > 0;
        let edges = if walks { edges(catalogue, config) } else { Edges::default() };
        let mut starts: Vec<u32> = match walks {
            true => (0..catalogue.len() as u32).filter(|i| edges.contains_key(i)).collect(),
            false => (0..catalogue.user_ids.len() as u32).collect(),
        };
        if walks {
            starts = (0..config.walks).flat_map(|_| starts.iter().copied()).collect();
        }
        starts.shuffle(&mut rng);
        let total: f64 = catalogue.counts.iter().map(|n| f64::from(*n)).sum();
        let keep = |count: &u32| match config.subsample {
            Some(rho) if *count > 0 => (rho * total / f64::from(*count)).sqrt().min(1.0),
            _ => 1.0,
        };
        let kept = catalogue.counts.iter().map(keep).collect();
        Self { schema, catalogue, config, rng, starts, at: 0, edges, kept }
    }

    /// The next runs of items.
    fn runs(&mut self, start: u32) -> Vec<Vec<u32>> {
        if self.config.walk_length > 0 {
            return vec![self.walk(start)];
        }
        let mut runs = sessions(self.catalogue, start, self.config.session_gap);
        for run in &mut runs {
            run.retain(|i| self.kept[*i as usize] >= 1.0 || self.rng.random::<f64>() < self.kept[*i as usize]);
            if self.config.shuffle {
                run.shuffle(&mut self.rng);
            }
        }
        runs
    }

    /// From item to item, by how often one follows the other; ends where nothing does.
    fn walk(&mut self, start: u32) -> Vec<u32> {
        let mut walk = vec![start];
        while walk.len() < self.config.walk_length {
            let Some((next, sums)) = walk.last().and_then(|i| self.edges.get(i)) else { break };
            let at = self.rng.random::<f64>() * sums.last().copied().unwrap_or(0.0);
            walk.push(next[sums.partition_point(|s| *s <= at).min(next.len() - 1)]);
        }
        walk
    }

    fn batch(&self, centers: &[u32], contexts: &[u32]) -> Batch {
        let Some(items) = &self.schema.items else { return Batch::default() };
        let rows = centers.len();
        let mut keys: Vec<Keys> = self.catalogue.items.keys.iter().map(|k| k.none_like(rows)).collect();
        for &field in &items.fields {
            keys[field] = self.catalogue.items.keys[field].take(centers);
        }
        if let Some(context) = items.context {
            keys[context] = self.catalogue.items.keys[items.id].take(contexts);
        }
        Batch { rows, keys, targets: Targets::one(vec![1.0; rows]), item: centers.to_vec(), ..Batch::default() }
    }
}

impl Iterator for ItemPairs<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let (mut centers, mut contexts) = (Vec::new(), Vec::new());
        while centers.len() < CHUNK && self.at < self.starts.len() {
            let start = self.starts[self.at];
            self.at += 1;
            for run in self.runs(start) {
                for (i, center) in run.iter().enumerate() {
                    let near = i.saturating_sub(self.config.window)..(i + self.config.window + 1).min(run.len());
                    for context in near.filter(|j| *j != i).map(|j| run[j]).filter(|c| c != center) {
                        centers.push(*center);
                        contexts.push(context);
                    }
                }
            }
        }
        (!centers.is_empty()).then(|| self.batch(&centers, &contexts))
    }
}

/// What a user liked in the training rows, cut where nothing happened for longer than the gap.
fn sessions(catalogue: &Catalogue, user: u32, gap: Option<f64>) -> Vec<Vec<u32>> {
    let liked: Vec<_> = catalogue.seen[0][user as usize].iter().filter(|s| s.liked).collect();
    let together = |a: &&Seen, b: &&Seen| gap.is_none_or(|g| (b.time - a.time) as f64 <= g * 1e9);
    liked.chunk_by(together).map(|run| run.iter().map(|s| s.item).collect()).collect()
}

/// How often each item follows each other within a session.
fn edges(catalogue: &Catalogue, config: &PairsConfig) -> Edges {
    let mut counts: HashMap<(u32, u32), f64> = HashMap::new();
    for user in 0..catalogue.user_ids.len() as u32 {
        for run in sessions(catalogue, user, config.session_gap) {
            for pair in run.windows(2).filter(|p| p[0] != p[1]) {
                *counts.entry((pair[0], pair[1])).or_insert(0.0) += 1.0;
            }
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|(pair, _)| *pair);
    let mut edges = Edges::default();
    for ((from, to), count) in counts {
        let (next, sums) = edges.entry(from).or_default();
        next.push(to);
        sums.push(sums.last().copied().unwrap_or(0.0) + count);
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TargetConfig;

    fn catalogue(runs: &[&[(u32, f64)]], items: usize) -> Catalogue {
        let seen = |run: &&[(u32, f64)]| {
            run.iter().map(|(item, time)| Seen { item: *item, liked: true, time: (*time * 1e9) as i64 }).collect()
        };
        let keys = vec![Keys::One((1..=items as u64).collect()), Keys::One(vec![0; items])];
        let mut counts = vec![0; items];
        runs.iter().flat_map(|r| r.iter()).for_each(|(i, _)| counts[*i as usize] += 1);
        let items = Batch { rows: items, keys, ..Batch::default() };
        Catalogue::made(items, counts, runs.iter().map(seen).collect())
    }

    fn all(catalogue: &Catalogue, config: &PairsConfig) -> Vec<(u64, u64)> {
        let fields = serde_json::json!({ "item": "categorical" });
        let features = serde_json::json!({
            "fields": fields, "items": { "id": "item", "user": "u", "time": "t" },
            "negatives": { "per_positive": 1 }, "pairs": config,
        });
        let schema = Schema::new(&serde_json::from_value(features).unwrap(), &[TargetConfig::of("y")]).unwrap();
        let mut pairs = Vec::new();
        for batch in ItemPairs::new(&schema, catalogue, config, 1, 0) {
            let (Keys::One(a), Keys::One(b)) = (&batch.keys[0], &batch.keys[1]) else { panic!() };
            pairs.extend(a.iter().copied().zip(b.iter().copied()));
        }
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn pairs_are_of_one_session_and_within_the_window() {
        let catalogue = catalogue(&[&[(0, 0.0), (1, 10.0), (2, 20.0), (3, 500.0)], &[(3, 0.0), (0, 1.0)]], 4);
        let config = PairsConfig { window: 1, session_gap: Some(100.0), ..PairsConfig::default() };
        assert_eq!(all(&catalogue, &config), [(1, 2), (1, 4), (2, 1), (2, 3), (3, 2), (4, 1)]);
        let wide = PairsConfig { window: 9, ..config.clone() };
        assert_eq!(all(&catalogue, &wide).len(), 8);
        assert_eq!(all(&catalogue, &PairsConfig { session_gap: None, ..wide }).len(), 14);
    }

    #[test]
    fn walks_follow_transitions_as_often_as_they_were_taken() {
        // From 0 three times to 1 and once to 2; nothing follows those.
        let catalogue =
            catalogue(&[&[(0, 0.0), (1, 1.0)], &[(0, 0.0), (1, 1.0)], &[(0, 0.0), (1, 1.0)], &[(0, 0.0), (2, 1.0)]], 3);
        let config = PairsConfig { window: 1, walk_length: 5, walks: 4000, ..PairsConfig::default() };
        let pairs = all(&catalogue, &config);
        let count = |pair| pairs.iter().filter(|p| **p == pair).count();
        assert_eq!(count((1, 2)) + count((1, 3)), 4000);
        assert!((count((1, 2)) as f64 / 4000.0 - 0.75).abs() < 0.03);
        assert_eq!(count((2, 1)), count((1, 2)));
    }

    #[test]
    fn frequent_items_are_left_out_more_often() {
        let run: Vec<(u32, f64)> = (0..2000).map(|i| (u32::from(i % 2 == 0) * (1 + i % 50), 0.0)).collect();
        let catalogue = catalogue(&[&run], 60);
        let plain = all(&catalogue, &PairsConfig { window: 1, ..PairsConfig::default() });
        let sampled = all(&catalogue, &PairsConfig { window: 1, subsample: Some(1e-3), ..PairsConfig::default() });
        let share = |pairs: &[(u64, u64)]| pairs.iter().filter(|p| p.0 == 1).count() as f64 / pairs.len() as f64;
        assert!(share(&sampled) < share(&plain) * 0.8, "{} {}", share(&sampled), share(&plain));
    }
}
