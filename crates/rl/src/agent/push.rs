//! Pushing: candidates are scored, lists made of rankings, and what learning needs is kept.

use std::ops::Range;

use arrow::array::RecordBatch;
use burnrec_data::value::Values;
use burnrec_features::{Batch, Purpose};
use burnrec_train::TrainError;

use super::config::ExploreKind;
use super::network::{Kept, Network};
use super::score::{Candidates, infer, spans};
use super::{Asked, ranked};
use crate::draw::place;
use crate::environment::Request;
use crate::error::{RlError, bad};
use crate::explore::{boltzmann, epsilon_greedy};
use crate::interleave::{Interleaved, probabilistic, team_draft};

/// What all networks make of the candidates: scores a network, and the last hidden layer where it is asked for.
struct Seen {
    scores: Vec<Vec<f32>>,
    hidden: Vec<f32>,
}

/// A list on its way.
struct List {
    slate: Vec<usize>,
    share: Vec<Vec<f64>>,
    member: usize,
}

impl Network {
    /// Chooses the lists of some requests.
    pub(super) fn choose(&mut self, asked: &Asked<'_>) -> Result<Vec<Vec<usize>>, RlError> {
        if asked.requests.is_empty() {
            return Ok(Vec::new());
        }
        let batch = self.apart.encoder.encode(asked.rows, asked.source, Purpose::Predict)?;
        let spans = spans(asked.requests.iter().map(|request| request.candidates.len()));
        let mut seen = self.look(&batch, &spans, asked.requests)?;
        if seen.scores.iter().flatten().any(|score| !score.is_finite()) {
            return Err(self.diverged());
        }
        self.raise_new(asked.rows, &mut seen)?;
        self.check_states(&batch, &spans)?;
        let mut slates = Vec::with_capacity(asked.requests.len());
        for (request, span) in asked.requests.iter().zip(&spans) {
            let list = self.list(request, span, asked.places, &seen);
            self.keep(request, &batch, span, &list, &seen.hidden);
            slates.push(list.slate);
        }
        Ok(slates)
    }

    /// What to say where scores are no numbers any more.
    fn diverged(&self) -> RlError {
        let learning_rate = self.apart.checked.experiment().train.learning_rate * self.config.learn.rate;
        TrainError::Diverged { step: self.state.updates, loss: f64::NAN, learning_rate }.into()
    }

    /// Refuses fields of the state that differ between candidates of one request: acting reads them once.
    fn check_states(&mut self, batch: &Batch, all: &[Range<usize>]) -> Result<(), RlError> {
        let Some(span) = all.iter().find(|span| span.len() > 1).filter(|_| !self.has_checked_states) else {
            return Ok(());
        };
        let (one, spans) =
            (batch.take(&(span.start as u32..span.end as u32).collect::<Vec<_>>()), spans(std::iter::once(span.len())));
        let candidates = Candidates { batch: &one, spans: &spans, centred: false };
        let differs = infer(&self.apart.stepper.weights, &candidates, |own, halves| halves.states_differ(own))?;
        if differs {
            let model = self.config.model().name();
            let problem = "names a field that differs between the candidates of a request; the state is of the user and the moment alone";
            return Err(bad(format!("agent.model.{model}.state"), problem));
        }
        self.has_checked_states = true;
        Ok(())
    }

    /// The network that serves a request alone, where each reader is served by one: 0 is the agent's own.
    fn member(&self, request: &Request) -> usize {
        match self.config.explore.kind {
            ExploreKind::Es => {
                let at = place(request.user, self.state.generation);
                1 + self.draws("bucket", at).below(self.members.len())
            }
            _ => 0,
        }
    }

    fn look(&self, batch: &Batch, spans: &[Range<usize>], requests: &[Request]) -> Result<Seen, RlError> {
        let weights = &self.apart.stepper.weights;
        let centred = self.config.centred;
        let candidates = Candidates { batch, spans, centred };
        let kind = self.config.explore.kind;
        if kind == ExploreKind::Es {
            return self.look_by_bucket(batch, spans, requests);
        }
        // Of the agent as a whole, the threads that compute may have the networks alone.
        let members = &self.members;
        Ok(infer(weights, &candidates, |own, halves| {
            let all = std::iter::once(own).chain(members);
            let hidden = if kind == ExploreKind::ThompsonLastLayer { halves.hidden(own) } else { Vec::new() };
            Seen { scores: all.map(|model| halves.scores(model)).collect(), hidden }
        })?)
    }

    /// Each request's candidates by the network of its reader alone.
    fn look_by_bucket(&self, batch: &Batch, all: &[Range<usize>], requests: &[Request]) -> Result<Seen, RlError> {
        let mut scores = vec![0.0; batch.rows];
        for (member, model) in self.members.iter().enumerate() {
            let own: Vec<&Range<usize>> = requests
                .iter()
                .zip(all)
                .filter(|(request, _)| self.member(request) == member + 1)
                .map(|(_, span)| span)
                .collect();
            if own.is_empty() {
                continue;
            }
            let rows: Vec<u32> = own.iter().flat_map(|span| span.start as u32..span.end as u32).collect();
            let (batch, spans) = (batch.take(&rows), spans(own.iter().map(|span| span.len())));
            let candidates = Candidates { batch: &batch, spans: &spans, centred: self.config.centred };
            let found = infer(&self.apart.stepper.weights, &candidates, |_, halves| halves.scores(model))?;
            rows.iter().zip(found).for_each(|(row, score)| scores[*row as usize] = score);
        }
        Ok(Seen { scores: vec![scores], hidden: Vec::new() })
    }

    /// Raises the scores of new items.
    fn raise_new(&self, rows: &RecordBatch, seen: &mut Seen) -> Result<(), RlError> {
        let e = &self.config.explore;
        if e.fresh_bonus == 0.0 {
            return Ok(());
        }
        let column = &e.fresh_column;
        let missing =
            || bad("explore.fresh_column", format!("names `{column}`, and requests have no such column of numbers"));
        let ages = Values::of(rows.column_by_name(column).ok_or_else(missing)?).map_err(|_| missing())?;
        for row in 0..ages.len() {
            let age = ages.number(row).ok().flatten().unwrap_or(f64::INFINITY).max(0.0);
            let bonus = (e.fresh_bonus * (-age / e.fresh_hours).exp()) as f32;
            seen.scores.iter_mut().for_each(|scores| scores[row] += bonus);
        }
        Ok(())
    }

    fn list(&self, request: &Request, span: &Range<usize>, places: usize, seen: &Seen) -> List {
        let e = &self.config.explore;
        let scores = |network: usize| &seen.scores[network][span.clone()];
        let mut draws = self.draws("list", request.id);
        let alone = |mut slate: Vec<usize>| {
            slate.truncate(places);
            List { slate, share: Vec::new(), member: self.member(request) }
        };
        match e.kind {
            ExploreKind::None | ExploreKind::Es => alone(ranked(scores(0))),
            ExploreKind::EpsilonGreedy => alone(epsilon_greedy(&ranked(scores(0)), places, e.epsilon, &mut draws)),
            ExploreKind::Boltzmann => alone(boltzmann(scores(0), places, e.temperature, &mut draws)),
            ExploreKind::ThompsonLastLayer => {
                alone(self.thompson(request, span, &seen.hidden).unwrap_or_else(|| ranked(scores(0))))
            }
            ExploreKind::Dbgd | ExploreKind::Population => {
                let rankings: Vec<Vec<usize>> = (0..seen.scores.len()).map(|network| ranked(scores(network))).collect();
                let Interleaved { slate, share } = match e.team_draft {
                    true => team_draft(&rankings, places, || draws.unit()),
                    false => probabilistic(&rankings, places, e.tau, || draws.unit()),
                };
                List { slate, share, member: 0 }
            }
        }
    }

    /// Candidates by last weights that are drawn; none before anything was learned.
    fn thompson(&self, request: &Request, span: &Range<usize>, hidden: &[f32]) -> Option<Vec<usize>> {
        let ridge = self.state.ridge.as_ref()?;
        let mut draws = self.draws("thompson", request.id);
        let theta = ridge.sample(self.config.explore.confidence, || draws.normal());
        let (width, first) = (ridge.dim(), span.start);
        let score = |row: usize| -> f32 {
            let own = &hidden[(first + row) * width..(first + row + 1) * width];
            own.iter().zip(&theta).map(|(h, t)| f64::from(*h) * t).sum::<f64>() as f32
        };
        Some(ranked(&(0..span.len()).map(score).collect::<Vec<_>>()))
    }

    /// Keeps what learning needs of a list.
    fn keep(&mut self, request: &Request, batch: &Batch, span: &Range<usize>, list: &List, hidden: &[f32]) {
        let active = self.state.activeness.comes(request.user, request.time);
        if let Some(before) = self.state.last.insert(request.user, request.id)
            && let Some(kept) = self.memory.get_mut(before)
        {
            kept.next = Some((request.id, active));
        }
        let mut others: Vec<usize> = (0..span.len()).filter(|candidate| !list.slate.contains(candidate)).collect();
        let most = self.config.memory.candidates;
        if most > 0 && others.len() > most {
            let mut draws = self.draws("others", request.id);
            (0..most).for_each(|at| others.swap(at, at + draws.below(span.len() - list.slate.len() - at)));
            others.truncate(most);
        }
        let rows: Vec<u32> =
            list.slate.iter().chain(&others).map(|candidate| (span.start + candidate) as u32).collect();
        let width = hidden.len() / batch.rows.max(1);
        let own =
            |candidate: &usize| hidden[(span.start + candidate) * width..(span.start + candidate + 1) * width].to_vec();
        let kept = Kept {
            rows: batch.take(&rows),
            places: list.slate.len(),
            user: request.user,
            time: request.time,
            generation: self.state.generation,
            share: list.share.clone(),
            member: list.member,
            hidden: list.slate.iter().flat_map(own).collect(),
            updates: self.state.updates,
            clicks: None,
            next: None,
        };
        self.memory.add(request.id, kept);
    }
}
