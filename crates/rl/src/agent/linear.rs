//! Linear bandits: one ridge regression over the numbers and hashed ids of a row, for all items (as DRN's LinUCB).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burnrec_features::{Batch, Encoder, Keys, Purpose};
use serde::{Deserialize, Serialize};

use super::config::{AgentConfig, PolicyKind};
use super::simple::{resume, save};
use super::{Asked, Heard, Policy, check_requests, ranked};
use crate::bandit::Ridge;
use crate::draw::Draws;
use crate::environment::{Feedback, check_clock};
use crate::error::RlError;

/// What moves.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    now: f64,
    ridge: Ridge,
    /// The inputs of lists that are waited for.
    open: HashMap<u64, (f64, Vec<Vec<f64>>)>,
    heard: Heard,
}

/// A linear bandit.
pub struct Linear {
    run: PathBuf,
    config: AgentConfig,
    encoder: Arc<Encoder>,
    seed: u64,
    state: State,
}

impl Linear {
    /// A bandit over what an encoder gives; its state goes to a folder.
    pub fn new(run: PathBuf, config: AgentConfig, encoder: Arc<Encoder>, seed: u64) -> Self {
        let numbers = encoder.schema().numeric.len();
        let ridge = Ridge::new(1 + numbers + config.explore.buckets, config.explore.ridge);
        let state = State { now: 0.0, ridge, open: HashMap::new(), heard: Heard::default() };
        Self { run, config, encoder, seed, state }
    }

    /// Goes on from its folder.
    ///
    /// # Errors
    /// Damaged files.
    pub fn resume(
        run: &Path,
        config: AgentConfig,
        encoder: Arc<Encoder>,
        seed: u64,
    ) -> Result<Option<(Self, Vec<u8>)>, RlError> {
        let Some((state, beside)) = resume::<State>(run)? else { return Ok(None) };
        let mut own = Self::new(run.into(), config, encoder, seed);
        if state.ridge.dim() != own.state.ridge.dim() {
            let path = run.display().to_string();
            return Err(RlError::State { path, problem: "is of other settings".into() });
        }
        own.state = state;
        Ok(Some((own, beside)))
    }

    /// Learns rows whose clicks are known.
    pub fn learn(&mut self, batch: &Batch, clicks: &[f32]) {
        for (x, click) in self.inputs(batch).iter().zip(clicks) {
            self.state.ridge.learn(x, f64::from(*click));
        }
        self.state.ridge.settle();
    }

    /// The inputs of each row: 1, the numbers, and ids by a bucket and a sign of their key.
    fn inputs(&self, batch: &Batch) -> Vec<Vec<f64>> {
        let (buckets, width) = (self.config.explore.buckets, batch.numeric.len() / batch.rows.max(1));
        let mut rows: Vec<Vec<f64>> = (0..batch.rows)
            .map(|row| {
                let numbers =
                    batch.numeric[row * width..(row + 1) * width].iter().map(|x| f64::from(*x).clamp(-5.0, 5.0));
                std::iter::once(1.0).chain(numbers).chain(std::iter::repeat_n(0.0, buckets)).collect()
            })
            .collect();
        let mut add = |row: usize, key: u64| {
            if key != 0 && buckets > 0 {
                let at = 1 + width + (key % buckets as u64) as usize;
                rows[row][at] += if key >> 63 == 0 { 1.0 } else { -1.0 };
            }
        };
        for keys in &batch.keys {
            match keys {
                Keys::One(keys) => keys.iter().enumerate().for_each(|(row, key)| add(row, *key)),
                Keys::Many { keys, offsets, .. } => offsets.windows(2).enumerate().for_each(|(row, span)| {
                    keys[span[0] as usize..span[1] as usize].iter().for_each(|key| add(row, *key));
                }),
            }
        }
        rows
    }
}

impl Policy for Linear {
    fn push(&mut self, asked: &Asked<'_>) -> Result<Vec<Vec<usize>>, RlError> {
        check_clock(self.state.now, asked.now)?;
        check_requests(asked.requests)?;
        if asked.requests.is_empty() {
            return Ok(Vec::new());
        }
        self.state.now = asked.now;
        let batch = self.encoder.encode(asked.rows, asked.source, Purpose::Predict)?;
        let mut inputs = self.inputs(&batch).into_iter();
        let confidence = self.config.explore.confidence;
        let mut lists = Vec::with_capacity(asked.requests.len());
        for request in asked.requests {
            let mut own: Vec<Vec<f64>> = inputs.by_ref().take(request.candidates.len()).collect();
            let mut draws = Draws::new(self.seed, "thompson", request.id);
            let scores: Vec<f32> = match self.config.policy {
                PolicyKind::Thompson => {
                    let theta = self.state.ridge.sample(confidence, || draws.normal());
                    own.iter().map(|x| x.iter().zip(&theta).map(|(x, t)| x * t).sum::<f64>() as f32).collect()
                }
                _ => {
                    let ridge = &self.state.ridge;
                    own.iter().map(|x| (ridge.mean(x) + confidence * ridge.width(x)) as f32).collect()
                }
            };
            let mut list = ranked(&scores);
            list.truncate(asked.places);
            let shown = list.iter().map(|candidate| std::mem::take(&mut own[*candidate])).collect();
            self.state.open.insert(request.id, (request.time, shown));
            lists.push(list);
        }
        Ok(lists)
    }

    fn hear(&mut self, feedback: &[Feedback]) -> Result<(), RlError> {
        for one in feedback {
            let Some((_, shown)) = self.state.open.remove(&one.request) else {
                self.state.heard.unknown += 1;
                continue;
            };
            self.state.heard.taken += 1;
            for (x, clicked) in shown.iter().zip(&one.clicks) {
                self.state.ridge.learn(x, f64::from(u8::from(*clicked)));
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: f64) -> Result<(), RlError> {
        check_clock(self.state.now, now)?;
        self.state.now = now;
        self.state.ridge.settle();
        let wait = self.config.wait_minutes * 60.0;
        self.state.open.retain(|_, (time, _)| now - *time <= wait);
        Ok(())
    }

    fn heard(&self) -> Heard {
        self.state.heard
    }

    fn save(&mut self, beside: Vec<u8>) -> Result<(), RlError> {
        save(&self.run, &self.state, beside)
    }
}
