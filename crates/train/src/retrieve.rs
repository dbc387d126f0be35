//! Looking for items: the vectors of users and items, and the best of all products.

use burn::tensor::{Tensor, TensorData};
use burnrec_backend::traffic;
use burnrec_features::{Batch, Catalogue, Encoder, IndexPolicy, Past, Schema};
use burnrec_models::{AnyModel, Ranker};
use rayon::prelude::*;

use crate::error::TrainError;
use crate::experiment::Experiment;
use crate::learner::{Learner, prepare};
use crate::metrics::{MetricName, Metrics, mean_of_ranks, ranks};
use crate::saved::SavedModel;

/// Rows that the model is asked about at once.
const ROWS: usize = 4096;
/// Products that are held at once.
const PRODUCTS: usize = 1 << 24;

/// Everything that looking for items needs.
pub struct Retriever<'a> {
    learner: &'a mut Learner,
    catalogue: &'a Catalogue,
    encoder: &'a Encoder,
    frozen: AnyModel,
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
    users: &'a [u32],
    /// Sides whose rows are known: 1 for train, 2 for train and valid.
    sides: usize,
}

impl<'a> Retriever<'a> {
    /// Of a learner as it stands; nothing where the data has no catalogue.
    ///
    /// # Errors
    /// A learner whose step failed half-way.
    pub fn new(
        learner: &'a mut Learner,
        encoder: &'a Encoder,
        experiment: &Experiment,
    ) -> Result<Option<Self>, TrainError> {
        let Some(catalogue) = encoder.catalogue() else { return Ok(None) };
        let (frozen, past) = (learner.frozen()?, past(experiment)?);
        let items = experiment.features.items.as_ref();
        let (latest, decay) = items.map_or((usize::MAX, 1.0), |i| (i.latest, i.decay));
        Ok(Some(Self { learner, catalogue, encoder, frozen, past, latest, decay }))
    }

    /// Of a saved model.
    ///
    /// # Errors
    /// A run without a catalogue.
    pub fn of(saved: &'a mut SavedModel) -> Result<Self, TrainError> {
        let SavedModel { experiment, encoder, learner } = saved;
        let none = || TrainError::Setting {
            key: "features.items".into(),
            problem: "is not set in this run, so that it does not know what an item is; set it and train again".into(),
        };
        Self::new(learner, encoder, experiment)?.ok_or_else(none)
    }

    /// The vectors of all items `[N, d]`; nothing from models that give none.
    ///
    /// # Errors
    /// None of its own.
    pub fn item_vectors(&mut self) -> Result<Option<Tensor<2>>, TrainError> {
        let all: Vec<u32> = (0..self.catalogue.len() as u32).collect();
        let mut parts = Vec::new();
        for items in all.chunks(ROWS) {
            let rows = self.catalogue.rows_of(self.encoder.schema(), None, items, self.past);
            let cold = self.cold(items);
            let Some(part) = self.infer(rows, move |m, inputs| m.item_vectors(inputs, cold.clone()))? else {
                return Ok(None);
            };
            parts.push(part);
        }
        Ok((!parts.is_empty()).then(|| Tensor::cat(parts, 0)))
    }

    /// 1 for items that training knows nothing of by themselves `[B, 1]`.
    fn cold(&self, items: &[u32]) -> Tensor<2> {
        let schema = self.encoder.schema();
        let id = schema.items.as_ref().map(|i| &schema.categorical[i.id]);
        let min_count = id.filter(|id| id.index == IndexPolicy::Vocabulary).map_or(1, |id| id.min_count);
        let rows = |item: &u32| self.catalogue.rows.get(*item as usize).copied().unwrap_or(0);
        let cold: Vec<f32> = items.iter().map(|i| f32::from(u8::from(rows(i) < min_count.max(1)))).collect();
        Tensor::from_data(TensorData::new(cold, [items.len(), 1]), &self.learner.device())
    }

    /// The vectors of users as they rank: for models that give none, means of items' vectors of length 1.
    ///
    /// # Errors
    /// None of its own.
    pub fn ranking_users(&mut self, users: &[u32], sides: usize, items: Tensor<2>) -> Result<Tensor<2>, TrainError> {
        let items = if self.gives_user_vectors()? { items } else { unit(items) };
        self.user_vectors(users, sides, &items)
    }

    /// The vectors of the items of some rows `[B, d]`, known ones and new ones; nothing from models that give none.
    ///
    /// # Errors
    /// None of its own.
    pub fn vectors_of(&mut self, rows: Batch) -> Result<Option<Tensor<2>>, TrainError> {
        let cold = self.cold(&rows.item);
        self.infer(rows, move |m, inputs| m.item_vectors(inputs, cold.clone()))
    }

    /// The vectors of users `[U, d]`, as they stand after the rows of `sides` sides.
    ///
    /// # Errors
    /// None of its own.
    pub fn user_vectors(&mut self, users: &[u32], sides: usize, items: &Tensor<2>) -> Result<Tensor<2>, TrainError> {
        let mut parts = Vec::new();
        for some in users.chunks(ROWS) {
            let mut rows: Option<Batch> = None;
            for user in some {
                let row = self.catalogue.rows_of(self.encoder.schema(), Some(*user), &[0], Past { sides, ..self.past });
                match &mut rows {
                    Some(rows) => rows.append(&row),
                    None => rows = Some(row),
                }
            }
            let Some(part) = self.infer(rows.unwrap_or_default(), |m, inputs| m.user_vectors(inputs))? else {
                return Ok(self.means(users, sides, items));
            };
            parts.push(part);
        }
        Ok(Tensor::cat(parts, 0))
    }

    /// Users as the mean of the latest items that they liked, each item as old as there are later ones.
    fn means(&self, users: &[u32], sides: usize, items: &Tensor<2>) -> Tensor<2> {
        let (device, dim) = (items.device(), items.dims()[1]);
        let vectors: Vec<f32> = traffic::read(items.clone());
        let of = |user: &u32| {
            let (mut sum, mut total, mut weight) = (vec![0.0f64; dim], 0.0, 1.0);
            for item in self.catalogue.history(*user, sides, true).into_iter().rev().take(self.latest) {
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
        &mut self,
        rows: Batch,
        what: impl Fn(&AnyModel, &burnrec_models::Inputs) -> Option<Tensor<2>> + Send + Sync,
    ) -> Result<Option<Tensor<2>>, TrainError> {
        let prepared = prepare(self.learner.tables.indexer())(rows);
        self.learner.infer(&self.frozen, prepared, what)
    }

    /// Calls `each` with the scores of all items for every user, in parallel. Models of vectors score by products, by
    /// cosines where users are means; others score every pair of a user and an item.
    fn scores<T: Send>(
        &mut self,
        asked: &Users<'_>,
        each: impl Fn(u32, &[f32]) -> T + Sync,
    ) -> Result<Vec<T>, TrainError> {
        let items = self.item_vectors()?;
        let count = self.catalogue.len();
        let mut out = Vec::with_capacity(asked.users.len());
        for users in asked.users.chunks((PRODUCTS / count.max(1)).clamp(1, ROWS)) {
            let scores: Vec<f32> = match &items {
                Some(items) => traffic::read(self.products(users, asked.sides, items)?),
                None => self.row_scores(users, asked.sides)?,
            };
            let of = |(user, scores): (&u32, &[f32])| each(*user, scores);
            out.par_extend(users.par_iter().zip(scores.par_chunks(count)).map(of));
        }
        Ok(out)
    }

    fn products(&mut self, users: &[u32], sides: usize, items: &Tensor<2>) -> Result<Tensor<2>, TrainError> {
        let own = self.gives_user_vectors()?;
        let items = if own { items.clone() } else { unit(items.clone()) };
        let users = self.user_vectors(users, sides, &items)?;
        Ok(users.matmul(items.transpose()))
    }

    fn gives_user_vectors(&mut self) -> Result<bool, TrainError> {
        let rows = self.catalogue.rows_of(self.encoder.schema(), None, &[0], self.past);
        Ok(self.infer(rows, |m, inputs| m.user_vectors(inputs))?.is_some())
    }

    fn row_scores(&mut self, users: &[u32], sides: usize) -> Result<Vec<f32>, TrainError> {
        let all: Vec<u32> = (0..self.catalogue.len() as u32).collect();
        let mut scores = Vec::with_capacity(users.len() * all.len());
        for user in users {
            for items in all.chunks(ROWS) {
                let rows =
                    self.catalogue.rows_of(self.encoder.schema(), Some(*user), items, Past { sides, ..self.past });
                let part = self.infer(rows, |m, inputs| Some(m.forward(inputs).logits))?;
                scores.extend(part.map_or_else(Vec::new, traffic::read));
            }
        }
        Ok(scores)
    }

    /// The best `k` items of each user, after the rows of `sides` sides; without those that the user saw, if asked.
    ///
    /// # Errors
    /// None of its own.
    pub fn top(&mut self, users: &[u32], k: usize, sides: usize, exclude_seen: bool) -> Result<Vec<TopK>, TrainError> {
        let catalogue = self.catalogue;
        self.scores(&Users { users, sides }, |user, scores| {
            let mut open = vec![true; scores.len()];
            if exclude_seen {
                catalogue.history(user, sides, false).into_iter().for_each(|i| open[i as usize] = false);
            }
            let mut best: Vec<u32> = (0..scores.len() as u32).filter(|i| open[*i as usize]).collect();
            let order = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b));
            if k > 0 && k < best.len() {
                best.select_nth_unstable_by(k - 1, order);
            }
            best.truncate(k);
            best.sort_unstable_by(order);
            best.into_iter().map(|i| (i, scores[i as usize])).collect()
        })
    }

    /// Metrics of the items that users liked on the side behind `sides` others, among all that they had not seen before;
    /// and those of ranking by training rows.
    ///
    /// # Errors
    /// Scores that are no numbers.
    pub fn measure(&mut self, sides: usize, names: &[MetricName]) -> Result<(Metrics, Metrics), TrainError> {
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
        let model: Option<Vec<_>> = self.scores(&Users { users: &users, sides }, ranks_of)?.into_iter().collect();
        let popular: Vec<f32> = catalogue.counts.iter().map(|n| *n as f32).collect();
        let baseline: Option<Vec<_>> = users.par_iter().map(|u| ranks_of(*u, &popular)).collect();
        Ok((mean_of_ranks(names, model.as_deref()), mean_of_ranks(names, baseline.as_deref())))
    }
}

/// What histories hold when they are made of what users did: the same as in training.
///
/// # Errors
/// Histories of a rule that is not the label's: which of a user's items they take is not known then.
pub(crate) fn past(experiment: &Experiment) -> Result<Past, TrainError> {
    let Some(history) = &experiment.data.history else {
        return Ok(Past { sides: 1, liked_only: false, most: usize::MAX });
    };
    let label = &experiment.features.label;
    let schema = Schema::new(&experiment.features)?;
    if let Some(only) = history.only.as_ref().filter(|_| schema.remakes_histories()) {
        let plain = label.threshold.is_none() && label.positive.is_none() && !label.numeric;
        let same_rule = label.threshold.is_some_and(|t| t == only.at_least)
            || (plain && only.at_least > 0.0 && only.at_least <= 1.0);
        let same = only.column == label.column && same_rule;
        if !same {
            return Err(TrainError::Setting {
                key: "data.history.only".into(),
                problem: "is another rule than features.label, so that histories cannot be made again for users who are asked about; use the label's column and threshold".into(),
            });
        }
    }
    Ok(Past { sides: 1, liked_only: history.only.is_some(), most: history.max_length })
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
