//! Learning by gradients: double Q-learning on lists that were heard of.
//!
//! `y = r + γ·Q(s', argmax_a' Q(s', a'; W); W')` with `r = click + β·S`, S how active the user was when he came next. Who has
//! not come again has no next list: `y = r`.

use std::sync::Arc;

use burnrec_backend::traffic;
use burnrec_features::{Batch, Targets};
use burnrec_train::prepare;

use super::config::{ExploreKind, MajorKind};
use super::network::{Kept, Network};
use super::score::{Candidates, infer, joined, offsets, spans};
use crate::bandit::Ridge;
use crate::draw::place;
use crate::error::RlError;
use crate::explore::{mixed, read, write};

/// Lists that last weights are learned from anew behind a thorough update.
const RECENT: usize = 2_000;

impl Network {
    /// A thorough update.
    pub(super) fn major(&mut self) -> Result<(), RlError> {
        let heard = std::mem::take(&mut self.state.since_major);
        match self.config.learn.major {
            MajorKind::None => return Ok(()),
            MajorKind::Pass => self.learn_in_order(&heard)?,
            MajorKind::Replay => {
                for _ in 0..self.config.learn.steps {
                    let mut draws = self.draws("replay", self.state.updates);
                    let drawn = self.memory.draw(self.config.learn.requests, self.config.memory.correction, &mut draws);
                    let ids: Vec<u64> = drawn.iter().map(|one| one.id).collect();
                    let weights = (self.config.memory.priority > 0.0)
                        .then(|| drawn.iter().map(|one| one.weight as f32).collect());
                    if ids.is_empty() || !self.learn(&ids, weights)? {
                        break;
                    }
                }
            }
        }
        if self.config.explore.kind == ExploreKind::ThompsonLastLayer {
            self.relearn_last_layer(&heard)?;
        }
        self.renew_members()
    }

    /// One pass over lists, in an order that is drawn.
    pub(super) fn learn_in_order(&mut self, heard: &[u64]) -> Result<(), RlError> {
        let mut order = heard.to_vec();
        let mut draws = self.draws("pass", place(self.state.updates, 1));
        (1..order.len()).rev().for_each(|at| order.swap(at, draws.below(at + 1)));
        for ids in order.chunks(self.config.learn.requests) {
            self.learn(ids, None)?;
        }
        self.renew_members()
    }

    /// What the next list of each is worth; 0 where there is none.
    fn next_values(&self, kept: &[&Kept]) -> Result<Vec<f64>, RlError> {
        let mut values = vec![0.0; kept.len()];
        let next = |one: &&Kept| one.next.and_then(|(id, _)| self.memory.get(id));
        let nexts: Vec<(usize, &Kept)> =
            kept.iter().enumerate().filter_map(|(at, one)| Some((at, next(one)?))).collect();
        if self.config.gamma == 0.0 || nexts.is_empty() {
            return Ok(values);
        }
        let batch = joined(nexts.iter().map(|(_, next)| &next.rows));
        let spans = spans(nexts.iter().map(|(_, next)| next.rows.rows));
        let candidates = Candidates { batch: &batch, spans: &spans, centred: self.config.centred };
        let target = &self.target;
        let (online, later) =
            infer(&self.apart.stepper.weights, &candidates, |own, halves| (halves.scores(own), halves.scores(target)))?;
        for ((at, _), span) in nexts.iter().zip(spans) {
            let best = span.max_by(|a, b| online[*a].total_cmp(&online[*b]));
            values[*at] = best.map_or(0.0, |best| f64::from(later[best]));
        }
        Ok(values)
    }

    /// Rows of a list in a lesson: what was shown, and where advantages are about their mean what was not, too.
    fn rows_of(&self, one: &Kept) -> usize {
        if self.config.centred { one.rows.rows } else { one.places }
    }

    /// Rows of some lists, with what the scores of those shown should have been.
    pub(super) fn lesson(&self, kept: &[&Kept], weights: Option<&Vec<f32>>) -> Result<Batch, RlError> {
        let values = self.next_values(kept)?;
        let first = |one: &&Kept| one.rows.take(&(0..self.rows_of(one) as u32).collect::<Vec<_>>());
        let parts: Vec<Batch> = kept.iter().map(first).collect();
        let mut batch = joined(parts.iter());
        let beta = self.config.activeness.weight;
        let (mut labels, mut known) = (Vec::with_capacity(batch.rows), Vec::with_capacity(batch.rows));
        for (one, value) in kept.iter().zip(values) {
            let active = match one.next {
                Some((_, active)) => active,
                None => self.state.activeness.at(one.user, self.state.now),
            };
            let later = beta * active + self.config.gamma * value;
            let clicks = one.clicks.iter().flatten();
            labels.extend(clicks.map(|clicked| (f64::from(u8::from(*clicked)) + later) as f32));
            known.resize(labels.len(), true);
            labels.resize(known.len() + self.rows_of(one) - one.places, 0.0);
            known.resize(labels.len(), false);
        }
        batch.targets = Targets::one(labels);
        if self.config.centred {
            batch.targets.known = Some(known);
            batch.requests = offsets(&spans(parts.iter().map(|part| part.rows)));
        }
        if let Some(weights) = weights {
            batch.weight =
                kept.iter().zip(weights).flat_map(|(one, weight)| vec![*weight; self.rows_of(one)]).collect();
        }
        Ok(batch)
    }

    /// One step on some lists; false where none of them is left.
    fn learn(&mut self, ids: &[u64], weights: Option<Vec<f32>>) -> Result<bool, RlError> {
        let kept: Vec<&Kept> = ids.iter().filter_map(|id| self.memory.get(*id)).collect();
        // A list that fell out of the memory since it was heard of takes its weight with it; those that are drawn are all there.
        if kept.iter().all(|one| one.places == 0) {
            return Ok(false);
        }
        let batch = self.lesson(&kept, weights.as_ref())?;
        let places: Vec<usize> = kept.iter().map(|one| one.places).collect();
        let rows: Vec<usize> = kept.iter().map(|one| self.rows_of(one)).collect();
        let labels = batch.targets.values.clone();
        let stepper = &mut self.apart.stepper;
        let ready = prepare(stepper.weights.tables.indexer(), Some(Arc::clone(stepper.tasks())));
        let ranked = weights.is_some();
        let (_, scores) = stepper.step_scored(ready(batch), self.config.learn.rate, ranked)?;
        if let Some(scores) = scores.filter(|_| ranked) {
            let errors: Vec<f64> =
                traffic::read(scores).iter().zip(&labels).map(|(q, y)| f64::from(q - y).abs()).collect();
            for ((id, span), places) in ids.iter().zip(spans(rows.into_iter())).zip(places) {
                let own = &errors[span.start..span.start + places];
                self.memory.set_priority(*id, own.iter().sum::<f64>() / places.max(1) as f64);
            }
        }
        self.state.updates += 1;
        match self.config.learn.target_share {
            Some(share) => {
                let own = read(self.apart.stepper.weights.model()?);
                if let Some(target) = write(&self.target, mixed(&read(&self.target), &own, share as f32)) {
                    self.target = target;
                }
            }
            None if self.state.updates.is_multiple_of(self.config.learn.target_every) => self.renew_target()?,
            None => {}
        }
        Ok(true)
    }

    /// Learns the last weights anew: the layer below them is another now.
    fn relearn_last_layer(&mut self, heard: &[u64]) -> Result<(), RlError> {
        let recent: Vec<&Kept> = heard
            .iter()
            .rev()
            .take(RECENT)
            .filter_map(|id| self.memory.get(*id))
            .filter(|one| one.places > 0)
            .collect();
        if recent.is_empty() {
            return Ok(());
        }
        let shown: Vec<Batch> =
            recent.iter().map(|one| one.rows.take(&(0..one.places as u32).collect::<Vec<_>>())).collect();
        let batch = joined(shown.iter());
        let spans = spans(shown.iter().map(|one| one.rows));
        let hidden = infer(
            &self.apart.stepper.weights,
            &Candidates { batch: &batch, spans: &spans, centred: false },
            |own, halves| halves.hidden(own),
        )?;
        let width = hidden.len() / batch.rows;
        let mut ridge = Ridge::new(width, self.config.explore.ridge);
        let clicks = recent.iter().flat_map(|one| one.clicks.iter().flatten());
        for (own, clicked) in hidden.chunks(width).zip(clicks) {
            let own: Vec<f64> = own.iter().map(|x| f64::from(*x)).collect();
            ridge.learn(&own, f64::from(u8::from(*clicked)));
        }
        ridge.settle();
        self.state.ridge = Some(ridge);
        Ok(())
    }
}
