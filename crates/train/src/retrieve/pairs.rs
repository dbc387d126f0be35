//! Scores of every pair of a user and an item, from models that give no vectors.

use burn::tensor::{Int, Tensor, TensorData};
use burnrec_backend::{has_own_memory, traffic};
use burnrec_features::{Past, Who};
use burnrec_models::{AnyModel, Head, Inputs, Model};
use rayon::prelude::*;

use super::behaviours::Behaviours;
use super::{ROWS, Retriever};

/// Behaviours that are scored at once: what is hidden for each of them and each of [`ROWS`] items is held.
const PIECE: usize = 16;
/// Users below whom it does not pay to look for what they have in common.
const FEW: usize = 4;

/// What a model said of behaviours for some items: by the number of the history, `[behaviours, items]`.
type Scored = Vec<(usize, Tensor<2>)>;

impl Retriever<'_> {
    /// The scores of all items for each of these users, one user behind the other.
    pub(super) fn pair_scores(&self, users: &[Who<'_>], sides: usize) -> Vec<f32> {
        let all: Vec<u32> = (0..self.catalogue.len() as u32).collect();
        let past = Past { sides, ..self.past };
        if users.len() < FEW || !self.scores_behaviours(past) {
            let chunks = all.len().div_ceil(ROWS);
            let of = |pair: usize| {
                let items = &all[pair % chunks * ROWS..all.len().min((pair % chunks + 1) * ROWS)];
                self.scores_for(users[pair / chunks], items, past, Vec::new())
            };
            return self.each(users.len() * chunks, of).concat();
        }
        let mut scores = Vec::with_capacity(users.len() * all.len());
        let mut rest = users;
        while !rest.is_empty() {
            let ones = rest.iter().map(|user| self.catalogue.row_of(self.encoder.schema(), *user, past));
            let behaviours = Behaviours::of(self.encoder.schema(), ones);
            let (part, behind) = rest.split_at(behaviours.users());
            scores.extend(self.scores_of(part, &all, &behaviours, past));
            rest = behind;
        }
        scores
    }

    /// [`Retriever::pair_scores`] of users whose behaviours are known: each pair of a behaviour and an item is asked about once.
    fn scores_of(&self, users: &[Who<'_>], all: &[u32], behaviours: &Behaviours, past: Past) -> Vec<f32> {
        let chunk = |items: &[u32]| {
            let known = self.behaviour_scores(behaviours, items, past);
            self.each(users.len(), |user| {
                let scored = picked(&known, &behaviours.places[user]);
                self.scores_for(users[user], items, past, scored)
            })
        };
        let chunks: Vec<Vec<Vec<f32>>> = all.chunks(ROWS).map(chunk).collect();
        (0..users.len()).flat_map(|user| chunks.iter().flat_map(move |chunk| chunk[user].iter().copied())).collect()
    }

    /// What the model says of each different behaviour for each of these items.
    fn behaviour_scores(&self, behaviours: &Behaviours, items: &[u32], past: Past) -> Scored {
        let schema = self.encoder.schema();
        let (nobody, rows) = self.catalogue.rows_apart(schema, Who::default(), items, past);
        let pieces = self.each(behaviours.most().div_ceil(PIECE).max(1), |piece| {
            let some = behaviours.row(schema, &nobody, piece * PIECE..(piece + 1) * PIECE);
            let of = |m: &AnyModel, inputs: &Inputs| m.behaviour_scores(inputs);
            self.frozen.infer_for(self.prepared(some), self.prepared(rows.clone()), Vec::new(), of)
        });
        let histories: Vec<usize> = pieces[0].iter().map(|(history, _)| *history).collect();
        let whole = |(at, history): (usize, usize)| {
            (history, Tensor::cat(pieces.iter().map(|piece| piece[at].1.clone()).collect(), 0))
        };
        histories.into_iter().enumerate().map(whole).collect()
    }

    /// Whether the model says of a behaviour and an item the same for all users.
    fn scores_behaviours(&self, past: Past) -> bool {
        let schema = self.encoder.schema();
        let items = schema.items.as_ref().map(|items| items.fields.as_slice()).unwrap_or_default();
        let of_item = |sequence| schema.candidate_of(sequence).is_none_or(|candidate| items.contains(&candidate));
        if !self.frozen.takes_one_history() || !schema.sequences().into_iter().all(of_item) {
            return false;
        }
        let (nobody, rows) = self.catalogue.rows_apart(schema, Who::default(), &[0], past);
        let says = |m: &AnyModel, inputs: &Inputs| !m.behaviour_scores(inputs).is_empty();
        self.frozen.infer_for(self.prepared(nobody), self.prepared(rows), Vec::new(), says)
    }

    /// The scores of some items for a user; what was said of the user's behaviours before need not be said again.
    fn scores_for(&self, user: Who<'_>, items: &[u32], past: Past, scored: Scored) -> Vec<f32> {
        let schema = self.encoder.schema();
        let head = schema.liked();
        let of = move |m: &AnyModel, inputs: &Inputs| m.forward(inputs).heads.get(head).map(Head::scores);
        let scores = if self.frozen.takes_one_history() {
            let (one, rows) = self.catalogue.rows_apart(schema, user, items, past);
            self.frozen.infer_for(self.prepared(one), self.prepared(rows), scored, of)
        } else {
            self.infer(self.catalogue.rows_of(schema, user, items, past), of)
        };
        scores.map_or_else(Vec::new, traffic::read)
    }

    /// What `of` gives for each number below `count`. On the host each core has numbers of its own: what is done for one of them
    /// is too short to be shared out.
    fn each<T: Send>(&self, count: usize, of: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
        match has_own_memory(&self.frozen.device()) {
            true => (0..count).map(of).collect(),
            false => (0..count).into_par_iter().map(of).collect(),
        }
    }
}

/// What was said of a user's behaviours: for each history the places of its positions among the different ones.
fn picked(known: &Scored, places: &[Vec<u32>]) -> Scored {
    let of = |(history, scores): &(usize, Tensor<2>)| {
        let places = &places[*history];
        let numbers = TensorData::new(places.iter().map(|place| *place as i32).collect(), [places.len()]);
        let rows = match places.is_empty() {
            true => Tensor::zeros([0, scores.dims()[1]], &scores.device()),
            false => scores.clone().select(0, Tensor::<1, Int>::from_data(numbers, &scores.device())),
        };
        (*history, rows)
    };
    known.iter().map(of).collect()
}
