//! What other agents are compared with: chance, popularity, and who knows everything.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burnrec_train::write_whole;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::save::{from_bytes, opened, sealed, to_bytes};
use super::{Asked, Heard, Policy, check_requests, ranked};
use crate::draw::Draws;
use crate::environment::Feedback;
use crate::error::RlError;

/// The file of an agent without weights.
const FILE: &str = "agent.bin";

/// Seconds after which nobody waits for feedback any more.
const LOST: f64 = 86_400.0;

/// Saves an agent without weights, with something beside it.
pub(super) fn save<T: Serialize>(run: &Path, state: &T, beside: Vec<u8>) -> Result<(), RlError> {
    std::fs::create_dir_all(run).map_err(burnrec_train::TrainError::io(run))?;
    Ok(write_whole(&run.join(FILE), &sealed(to_bytes(&(state, beside), FILE)?))?)
}

/// What [`save`] wrote; none where it did not yet.
pub(super) fn resume<T: DeserializeOwned>(run: &Path) -> Result<Option<(T, Vec<u8>)>, RlError> {
    let path = run.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(&path).map_err(burnrec_train::TrainError::io(&path))?;
    from_bytes(opened(&bytes, &path)?, &path.display().to_string()).map(Some)
}

/// What goes by.
#[derive(Clone, Copy, Debug)]
enum By {
    /// Chance, of a seed.
    Chance(u64),
    /// How probable each click is, and so often what it is worth beyond itself.
    Truth(f64),
}

/// What learns nothing: chance, or who knows everything.
pub struct Plain {
    run: PathBuf,
    by: By,
    heard: Heard,
}

impl Plain {
    /// Chance; its state goes to a folder.
    pub fn random(run: PathBuf, seed: u64) -> Self {
        Self { run, by: By::Chance(seed), heard: Heard::default() }
    }

    /// Who knows everything; `ahead` is what a click's worth beyond itself counts.
    pub fn oracle(run: PathBuf, ahead: f64) -> Self {
        Self { run, by: By::Truth(ahead), heard: Heard::default() }
    }

    /// What was saved beside it, where it goes on from its folder.
    ///
    /// # Errors
    /// Damaged files.
    pub fn resume(&mut self) -> Result<Option<Vec<u8>>, RlError> {
        let Some((heard, beside)) = resume(&self.run)? else { return Ok(None) };
        self.heard = heard;
        Ok(Some(beside))
    }
}

/// A list by chance.
pub(crate) fn shuffled(seed: u64, request: u64, candidates: usize, places: usize) -> Vec<usize> {
    let mut draws = Draws::new(seed, "random list", request);
    let mut all: Vec<usize> = (0..candidates).collect();
    for at in 0..places.min(candidates) {
        all.swap(at, at + draws.below(candidates - at));
    }
    all.truncate(places);
    all
}

impl Policy for Plain {
    fn push(&mut self, asked: &Asked<'_>) -> Result<Vec<Vec<usize>>, RlError> {
        check_requests(asked.requests)?;
        let by_truth = |truth: &Vec<(f64, f64)>, ahead: f64| {
            let scores: Vec<f32> = truth.iter().map(|(click, worth)| (click + ahead * worth) as f32).collect();
            let mut list = ranked(&scores);
            list.truncate(asked.places);
            list
        };
        Ok(match self.by {
            By::Chance(seed) => {
                asked.requests.iter().map(|r| shuffled(seed, r.id, r.candidates.len(), asked.places)).collect()
            }
            By::Truth(ahead) => asked.truth.iter().map(|truth| by_truth(truth, ahead)).collect(),
        })
    }

    fn hear(&mut self, feedback: &[Feedback]) -> Result<(), RlError> {
        self.heard.taken += feedback.len() as u64;
        Ok(())
    }

    fn tick(&mut self, _now: f64) -> Result<(), RlError> {
        Ok(())
    }

    fn heard(&self) -> Heard {
        self.heard
    }

    fn save(&mut self, beside: Vec<u8>) -> Result<(), RlError> {
        save(&self.run, &self.heard, beside)
    }
}

/// What is known of items.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Counts {
    /// Clicks and places of each item.
    items: HashMap<u64, (f64, f64)>,
    /// Lists that are waited for, and since when.
    open: HashMap<u64, (f64, Vec<u64>)>,
    all: (f64, f64),
    heard: Heard,
}

/// The items of the highest click rate so far; the mean stands for ten places of each.
pub struct Popularity {
    run: PathBuf,
    counts: Counts,
}

impl Popularity {
    /// Its state goes to a folder; it begins with clicks and places of items.
    pub fn new(run: PathBuf, items: &[(u64, f64, f64)]) -> Self {
        let all = items.iter().fold((0.0, 0.0), |(c, p), (_, clicks, places)| (c + clicks, p + places));
        let items = items.iter().map(|(item, clicks, places)| (*item, (*clicks, *places))).collect();
        Self { run, counts: Counts { items, all, ..Counts::default() } }
    }

    /// Goes on from its folder.
    ///
    /// # Errors
    /// Damaged files.
    pub fn resume(run: &Path) -> Result<Option<(Self, Vec<u8>)>, RlError> {
        let Some((counts, beside)) = resume(run)? else { return Ok(None) };
        Ok(Some((Self { run: run.into(), counts }, beside)))
    }
}

impl Policy for Popularity {
    fn push(&mut self, asked: &Asked<'_>) -> Result<Vec<Vec<usize>>, RlError> {
        check_requests(asked.requests)?;
        let mean = self.counts.all.0 / self.counts.all.1.max(1.0);
        let mut lists = Vec::with_capacity(asked.requests.len());
        for request in asked.requests {
            let rate = |item: &u64| {
                let (clicks, places) = self.counts.items.get(item).copied().unwrap_or_default();
                ((clicks + 10.0 * mean) / (places + 10.0)) as f32
            };
            let mut list = ranked(&request.candidates.iter().map(rate).collect::<Vec<_>>());
            list.truncate(asked.places);
            let items = list.iter().map(|place| request.candidates[*place]).collect();
            self.counts.open.insert(request.id, (request.time, items));
            lists.push(list);
        }
        Ok(lists)
    }

    fn hear(&mut self, feedback: &[Feedback]) -> Result<(), RlError> {
        for one in feedback {
            let Some((_, items)) = self.counts.open.remove(&one.request) else {
                self.counts.heard.unknown += 1;
                continue;
            };
            self.counts.heard.taken += 1;
            for (item, clicked) in items.into_iter().zip(&one.clicks) {
                let clicked = f64::from(u8::from(*clicked));
                let own = self.counts.items.entry(item).or_default();
                *own = (own.0 + clicked, own.1 + 1.0);
                self.counts.all = (self.counts.all.0 + clicked, self.counts.all.1 + 1.0);
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: f64) -> Result<(), RlError> {
        self.counts.open.retain(|_, (time, _)| now - *time < LOST);
        Ok(())
    }

    fn heard(&self) -> Heard {
        self.counts.heard
    }

    fn save(&mut self, beside: Vec<u8>) -> Result<(), RlError> {
        save(&self.run, &self.counts, beside)
    }
}
