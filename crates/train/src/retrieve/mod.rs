//! Looking for items: the vectors of users and items, and the best of all products.

mod behaviours;
mod pairs;

use burn::tensor::{Tensor, TensorData};
use burnrec_backend::traffic;
use burnrec_features::{Batch, Catalogue, Encoder, IndexPolicy, Past, Who};
use burnrec_models::{AnyModel, Inputs, Model};
use burnrec_record::Metrics;
use rayon::prelude::*;

use crate::checked::Checked;
use crate::error::TrainError;
use crate::feed::{Prepared, prepare};
use crate::metrics::{MetricName, mean_of_ranks, ranks};
use crate::weights::{Frozen, Weights};

/// Rows that the model is asked about at once.
const ROWS: usize = 4096;
/// Products that are held at once.
const PRODUCTS: usize = 1 << 24;

/// Everything that looking for items needs.
pub struct Retriever<'a> {
    catalogue: &'a Catalogue,
    encoder: &'a Encoder,
    frozen: Frozen<'a>,
    /// What histories hold.
    past: Past,
    /// The items that a user without a vector of its own is the mean of.
    latest: usize,
    decay: f64,
}

/// The best items of a user: places in the catalogue with their scores, the best first.
pub type TopK = Vec<(u32, f32)>;

/// What is asked of all items' scores.
struct Users<'a> {
    users: &'a [Who<'a>],
    /// Sides whose rows are known: 1 for train, 2 for train and valid.
    sides: usize,
}

impl<'a> Retriever<'a> {
    /// Of weights as they stand; nothing where the data has no catalogue.
    ///
    /// # Errors
    /// Weights whose step failed half-way.
    pub fn new(weights: &'a Weights, checked: &Checked, encoder: &'a Encoder) -> Result<Option<Self>, TrainError> {
        let Some(catalogue) = encoder.catalogue() else { return Ok(None) };
        let items = checked.experiment().features.items.as_ref();
        let (latest, decay) = items.map_or((usize::MAX, 1.0), |i| (i.latest, i.decay));
        Ok(Some(Self {
            catalogue: catalogue.as_ref(),
            encoder,
            frozen: weights.frozen()?,
            past: checked.past(),
            latest,
            decay,
        }))
    }

    /// The vectors of all items `[N, d]`; nothing from models that give none.
    pub fn item_vectors(&self) -> Option<Tensor<2>> {
        let all: Vec<u32> = (0..self.catalogue.len() as u32).collect();
        let mut parts = Vec::new();
        for items in all.chunks(ROWS) {
            let rows = self.catalogue.rows_of(self.encoder.schema(), Who::default(), items, self.past);
            let cold = self.cold(items);
            parts.push(self.infer(rows, move |m, inputs| m.item_vectors(inputs, cold))?);
        }
        (!parts.is_empty()).then(|| Tensor::cat(parts, 0))
    }

    /// Whether items have vectors, so that users are looked for among them by products.
    pub fn has_vectors(&self) -> bool {
        let rows = self.catalogue.rows_of(self.encoder.schema(), Who::default(), &[0], self.past);
        let cold = self.cold(&[0]);
        self.infer(rows, move |m, inputs| m.item_vectors(inputs, cold)).is_some()
    }

    /// 1 for items that training knows nothing of by themselves `[B, 1]`.
    fn cold(&self, items: &[u32]) -> Tensor<2> {
        let schema = self.encoder.schema();
        let id = schema.items.as_ref().map(|i| &schema.categorical[i.id]);
        let min_count = id.filter(|id| id.index == IndexPolicy::Vocabulary).map_or(1, |id| id.min_count);
        let rows = |item: &u32| self.catalogue.rows.get(*item as usize).copied().unwrap_or(0);
        let cold: Vec<f32> = items.iter().map(|i| f32::from(u8::from(rows(i) < min_count.max(1)))).collect();
        Tensor::from_data(TensorData::new(cold, [items.len(), 1]), &self.frozen.device())
    }

    /// The vectors of users as they rank: for models that give none, means of items' vectors of length 1.
    pub fn ranking_users(&self, users: &[u32], sides: usize, items: Tensor<2>) -> Tensor<2> {
        let items = if self.gives_user_vectors() { items } else { unit(items) };
        let users: Vec<Who<'_>> = users.iter().map(|user| Who::known(*user)).collect();
        self.user_vectors(&users, sides, &items)
    }

    /// The vectors of the items of some rows `[B, d]`, known ones and new ones; nothing from models that give none.
    pub fn vectors_of(&self, rows: Batch) -> Option<Tensor<2>> {
        let cold = self.cold(&rows.item);
        self.infer(rows, move |m, inputs| m.item_vectors(inputs, cold))
    }

    /// The vectors of users `[U, d]`, as they stand after the rows of `sides` sides.
    fn user_vectors(&self, users: &[Who<'_>], sides: usize, items: &Tensor<2>) -> Tensor<2> {
        let mut parts = Vec::new();
        for some in users.chunks(ROWS) {
            let mut rows: Option<Batch> = None;
            for user in some {
                let row = self.catalogue.rows_of(self.encoder.schema(), *user, &[0], Past { sides, ..self.past });
                match &mut rows {
                    Some(rows) => rows.append(&row),
                    None => rows = Some(row),
                }
            }
            let Some(part) = self.infer(rows.unwrap_or_default(), |m, inputs| m.user_vectors(inputs)) else {
                return self.means(users, sides, items);
            };
            parts.push(part);
        }
        Tensor::cat(parts, 0)
    }

    /// Users as the mean of the latest items that they liked, each item as old as there are later ones.
    fn means(&self, users: &[Who<'_>], sides: usize, items: &Tensor<2>) -> Tensor<2> {
        let (device, dim) = (items.device(), items.dims()[1]);
        let vectors: Vec<f32> = traffic::read(items.clone());
        let schema = self.encoder.schema();
        let of = |user: &Who<'_>| {
            let (mut sum, mut total, mut weight) = (vec![0.0f64; dim], 0.0, 1.0);
            for item in self.catalogue.history_of(schema, *user, sides, true).into_iter().rev().take(self.latest) {
                let vector = &vectors[item as usize * dim..(item as usize + 1) * dim];
                sum.iter_mut().zip(vector).for_each(|(s, v)| *s += weight * f64::from(*v));
                total += weight;
                weight *= self.decay;
            }
            sum.into_iter().map(move |s| if total > 0.0 { (s / total) as f32 } else { 0.0 }).collect::<Vec<f32>>()
        };
        let means: Vec<f32> = users.par_iter().flat_map_iter(of).collect();
        Tensor::from_data(TensorData::new(means, [users.len(), dim]), &device)
    }

    fn infer(
        &self,
        rows: Batch,
        what: impl FnOnce(&AnyModel, &Inputs) -> Option<Tensor<2>> + Send,
    ) -> Option<Tensor<2>> {
        self.frozen.infer(self.prepared(rows), what)
    }

    fn prepared(&self, rows: Batch) -> Prepared {
        prepare(self.frozen.weights().tables.indexer(), None)(rows)
    }

    /// Calls `each` with the scores of all items for every user, in parallel. Models of vectors score by products, by
    /// cosines where users are means; others score every pair of a user and an item.
    fn scores<T: Send>(&self, asked: &Users<'_>, each: impl Fn(Who<'_>, &[f32]) -> T + Sync) -> Vec<T> {
        let items = self.item_vectors();
        let count = self.catalogue.len();
        let mut out = Vec::with_capacity(asked.users.len());
        for users in asked.users.chunks((PRODUCTS / count.max(1)).clamp(1, ROWS)) {
            let scores: Vec<f32> = match &items {
                Some(items) => traffic::read(self.products(users, asked.sides, items)),
                None => self.pair_scores(users, asked.sides),
            };
            let of = |(user, scores): (&Who<'_>, &[f32])| each(*user, scores);
            out.par_extend(users.par_iter().zip(scores.par_chunks(count)).map(of));
        }
        out
    }

    fn products(&self, users: &[Who<'_>], sides: usize, items: &Tensor<2>) -> Tensor<2> {
        let own = self.gives_user_vectors();
        let items = if own { items.clone() } else { unit(items.clone()) };
        let users = self.user_vectors(users, sides, &items);
        users.matmul(items.transpose())
    }

    fn gives_user_vectors(&self) -> bool {
        let rows = self.catalogue.rows_of(self.encoder.schema(), Who::default(), &[0], self.past);
        self.infer(rows, |m, inputs| m.user_vectors(inputs)).is_some()
    }

    /// The best `k` items of each user, after the rows of `sides` sides; without those that the user saw, if asked.
    pub fn top(&self, users: &[Who<'_>], k: usize, sides: usize, exclude_seen: bool) -> Vec<TopK> {
        let (catalogue, schema) = (self.catalogue, self.encoder.schema());
        self.scores(&Users { users, sides }, |user, scores| {
            let mut open = vec![true; scores.len()];
            if exclude_seen {
                let rows = user.user.map_or_else(Vec::new, |user| catalogue.history(user, sides, false));
                let given = catalogue.history_of(schema, user, sides, false);
                rows.into_iter().chain(given).for_each(|i| open[i as usize] = false);
            }
            best(scores, (0..scores.len() as u32).filter(|i| open[*i as usize]).collect(), k)
        })
    }

    /// How users are made of what they liked, where the model has no vectors of users: the decay from one to the one before it,
    /// and how many count, all where there is no number.
    pub fn user_rule(&self) -> Option<(f64, Option<usize>)> {
        (!self.gives_user_vectors()).then(|| (self.decay, Some(self.latest).filter(|n| *n < usize::MAX)))
    }

    /// The items' vectors of length 1 `[N, d]`, which such users are made of; nothing from models that give none.
    pub fn unit_items(&self) -> Option<Tensor<2>> {
        self.item_vectors().map(unit)
    }

    /// The best `k` items of users whose vectors were made elsewhere, one behind another, by the rule of [`Retriever::user_rule`].
    pub fn top_of(&self, vectors: Vec<f32>, k: usize) -> Vec<TopK> {
        let Some(items) = self.unit_items() else { return Vec::new() };
        let [count, dim] = items.dims();
        let users = vectors.len() / dim.max(1);
        let users = Tensor::<2>::from_data(TensorData::new(vectors, [users, dim]), &items.device());
        let scores = traffic::read(users.matmul(items.transpose()));
        scores.par_chunks(count).map(|scores| best(scores, (0..count as u32).collect(), k)).collect()
    }

    /// Metrics of the items that users liked on the side behind `sides` others, among all that they had not seen before;
    /// and those of ranking by training rows.
    ///
    /// # Errors
    /// Scores that are no numbers.
    pub fn measure(&self, sides: usize, names: &[MetricName]) -> Result<(Metrics, Metrics), TrainError> {
        let catalogue = self.catalogue;
        let wanted = |user: u32| {
            let seen = catalogue.history(user, sides, false);
            let side = catalogue.seen.get(sides).and_then(|s| s.get(user as usize));
            let mut liked: Vec<u32> = side.into_iter().flatten().filter(|s| s.liked).map(|s| s.item).collect();
            liked.retain(|i| !seen.contains(i));
            liked.sort_unstable();
            liked.dedup();
            (liked, seen)
        };
        let users: Vec<u32> = (0..catalogue.user_ids.len() as u32).filter(|u| !wanted(*u).0.is_empty()).collect();
        let ranks_of = |user: u32, scores: &[f32]| {
            let (liked, seen) = wanted(user);
            scores.iter().all(|s| s.is_finite()).then(|| ranks(scores, &liked, &seen))
        };
        let asked: Vec<Who<'_>> = users.iter().map(|user| Who::known(*user)).collect();
        let of_model = |who: Who<'_>, scores: &[f32]| ranks_of(who.user.unwrap_or_default(), scores);
        let model: Option<Vec<_>> = self.scores(&Users { users: &asked, sides }, of_model).into_iter().collect();
        let popular: Vec<f32> = catalogue.counts.iter().map(|n| *n as f32).collect();
        let baseline: Option<Vec<_>> = users.par_iter().map(|u| ranks_of(*u, &popular)).collect();
        Ok((mean_of_ranks(names, model.as_deref()), mean_of_ranks(names, baseline.as_deref())))
    }
}

/// The best `k` of some places, the best first; among equals the first.
fn best(scores: &[f32], mut places: Vec<u32>, k: usize) -> TopK {
    let order = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b));
    if k > 0 && k < places.len() {
        places.select_nth_unstable_by(k - 1, order);
    }
    places.truncate(k);
    places.sort_unstable_by(order);
    places.into_iter().map(|i| (i, scores[i as usize])).collect()
}

/// The values of a tensor, row by row.
pub fn values(tensor: Tensor<2>) -> Vec<f32> {
    traffic::read(tensor)
}

/// Rows of length 1; zeros stay.
fn unit(x: Tensor<2>) -> Tensor<2> {
    let norm = (x.clone() * x.clone()).sum_dim(1).sqrt().clamp_min(1e-12);
    x / norm
}
