//! An agent whose model is a network: DRN's, or any that scores rows.

use std::collections::HashMap;

use burnrec_features::{Batch, stream_seed};
use burnrec_models::{AnyModel, Model};
use burnrec_train::Apart;
use serde::{Deserialize, Serialize};

use super::config::{AgentConfig, ExploreKind};
use super::{Asked, Heard, Policy};
use crate::activeness::Activeness;
use crate::bandit::Ridge;
use crate::draw::{Draws, place};
use crate::environment::{Feedback, check_clock};
use crate::error::RlError;
use crate::explore::Noise;
use crate::memory::Memory;

/// A list that was pushed, with what learning from it needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The rows shown, in the order of their places, and some that were not.
    pub(super) rows: Batch,
    /// How many were shown.
    pub(super) places: usize,
    pub(super) user: u64,
    pub(super) time: f64,
    /// Which networks chose them: the generation, and a share a place and network, or one network alone.
    pub(super) generation: u64,
    pub(super) share: Vec<Vec<f64>>,
    pub(super) member: usize,
    /// The last hidden layer of the rows shown, where exploration goes by it.
    pub(super) hidden: Vec<f32>,
    /// Steps that the network had taken: what is hidden is of these weights alone.
    pub(super) updates: u64,
    /// What is known of it.
    pub(super) clicks: Option<Vec<bool>>,
    /// The next list of the same user, and how active he was when he came.
    pub(super) next: Option<(u64, f64)>,
}

/// All that moves, but for weights and memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) now: f64,
    pub(super) activeness: Activeness,
    /// The last list of each user.
    pub(super) last: HashMap<u64, u64>,
    pub(super) next_minor: f64,
    pub(super) next_major: f64,
    /// Steps by gradients.
    pub(super) updates: u64,
    /// Which noise is tried now.
    pub(super) generation: u64,
    /// The noise of each network beside the agent's.
    pub(super) seeds: Vec<u64>,
    /// Clicks and lists of each network in this generation, the agent's first.
    pub(super) credit: Vec<f64>,
    pub(super) lists: Vec<f64>,
    /// Lists that were heard of since the last minor and major update.
    pub(super) since_minor: Vec<u64>,
    pub(super) since_major: Vec<u64>,
    pub(super) heard: Heard,
    pub(super) ridge: Option<Ridge>,
    /// Duels that were decided, and those that the other network won.
    pub(super) duels: (u64, u64),
}

/// An agent with a network.
pub struct Network {
    pub(super) config: AgentConfig,
    pub(super) seed: u64,
    pub(super) apart: Apart,
    pub(super) memory: Memory<Kept>,
    pub(super) state: State,
    /// The networks beside the agent's, made anew whenever its weights change.
    pub(super) members: Vec<AnyModel>,
    /// What the best next action is judged by.
    pub(super) target: AnyModel,
    /// Whether the fields of the state were seen to be the same for all candidates of a request.
    pub(super) has_checked_states: bool,
}

impl Network {
    /// An agent that begins with weights that a run left.
    ///
    /// # Errors
    /// Settings that do not go with the model.
    pub fn new(config: AgentConfig, apart: Apart, seed: u64) -> Result<Self, RlError> {
        let mut config = config;
        if !config.looks_ahead() {
            // What is not DRN's learns clicks, whose probability has no future in it.
            config.gamma = 0.0;
            config.activeness.weight = 0.0;
        }
        let target = burn::module::Module::valid(apart.stepper.weights.model()?);
        let (learn, memory) = (&config.learn, &config.memory);
        let state = State {
            now: 0.0,
            activeness: Activeness::new(config.activeness.clone()),
            last: HashMap::new(),
            next_minor: learn.minor_minutes * 60.0,
            next_major: learn.major_minutes * 60.0,
            updates: 0,
            generation: 0,
            seeds: Vec::new(),
            credit: Vec::new(),
            lists: Vec::new(),
            since_minor: Vec::new(),
            since_major: Vec::new(),
            heard: Heard::default(),
            ridge: None,
            duels: (0, 0),
        };
        let memory = Memory::new(memory.requests, memory.priority);
        let mut network =
            Self { config, seed, apart, memory, state, members: Vec::new(), target, has_checked_states: false };
        network.renew_noise()?;
        Ok(network)
    }

    /// The noise of a network beside the agent's, and its sign.
    pub(super) fn noise(&self, member: usize) -> (Noise, f32) {
        let e = &self.config.explore;
        match e.kind {
            ExploreKind::Es => {
                let noise = Noise { seed: self.state.seeds[member / 2], relative: 0.0, additive: e.sigma as f32 };
                (noise, if member.is_multiple_of(2) { 1.0 } else { -1.0 })
            }
            _ => {
                let (relative, additive) = (e.alpha as f32, e.additive as f32);
                (Noise { seed: self.state.seeds[member], relative, additive }, 1.0)
            }
        }
    }

    /// Begins a generation: noise for every network that has none.
    pub(super) fn renew_noise(&mut self) -> Result<(), RlError> {
        let e = &self.config.explore;
        let wanted = match e.kind {
            ExploreKind::Dbgd => 1,
            ExploreKind::Population | ExploreKind::Es => e.members,
            _ => 0,
        };
        self.state.generation += 1;
        let (seed, generation) = (self.seed, self.state.generation);
        let new = |member: usize| stream_seed(seed, "explore", place(generation, member as u64));
        match e.kind {
            // What lasts is taken out by whoever decides.
            ExploreKind::Population => {
                while self.state.seeds.len() < wanted {
                    let next = new(self.state.seeds.len());
                    self.state.seeds.push(next);
                }
            }
            _ => self.state.seeds = (0..wanted).map(new).collect(),
        }
        let networks = 1 + if e.kind == ExploreKind::Es { 2 * wanted } else { wanted };
        (self.state.credit, self.state.lists) = (vec![0.0; networks], vec![0.0; networks]);
        self.renew_members()
    }

    /// Makes the networks beside the agent's of its weights as they stand.
    pub(super) fn renew_members(&mut self) -> Result<(), RlError> {
        let count = self.state.credit.len().saturating_sub(1);
        let model = self.apart.stepper.weights.model()?;
        self.members = (0..count)
            .map(|member| {
                let (noise, sign) = self.noise(member);
                burn::module::Module::valid(&noise.on(model, sign))
            })
            .collect();
        Ok(())
    }

    /// Sets the target network to the agent's.
    pub(super) fn renew_target(&mut self) -> Result<(), RlError> {
        self.target = burn::module::Module::valid(self.apart.stepper.weights.model()?);
        Ok(())
    }

    /// Whether the state's half of the model is computed once a request.
    pub fn computes_states_once(&self) -> bool {
        self.target.trunk_is_of_state()
    }

    /// Duels that were decided, and those that the other network won.
    pub fn duels(&self) -> (u64, u64) {
        self.state.duels
    }

    /// The dense weights.
    ///
    /// # Errors
    /// A step that failed half-way.
    pub fn model(&self) -> Result<&AnyModel, RlError> {
        Ok(self.apart.stepper.weights.model()?)
    }

    /// The dense weights as numbers.
    ///
    /// # Errors
    /// A step that failed half-way.
    pub fn weights(&self) -> Result<Vec<Vec<f32>>, RlError> {
        Ok(crate::explore::read(self.apart.stepper.weights.model()?))
    }

    fn hear_one(&mut self, feedback: &Feedback) {
        let heard = &mut self.state.heard;
        let Some(kept) = self.memory.get_mut(feedback.request) else {
            heard.unknown += 1;
            return;
        };
        match () {
            () if kept.clicks.is_some() => heard.twice += 1,
            () if feedback.time - kept.time > self.config.wait_minutes * 60.0 => heard.late += 1,
            () if feedback.clicks.len() != kept.places => heard.malformed += 1,
            () => {
                heard.taken += 1;
                kept.clicks = Some(feedback.clicks.clone());
                self.memory.make_ready(feedback.request);
                self.credit(feedback);
                self.state.since_minor.push(feedback.request);
                self.state.since_major.push(feedback.request);
            }
        }
    }

    /// Says to whom the clicks of a list belong.
    fn credit(&mut self, feedback: &Feedback) {
        let Some(kept) = self.memory.get(feedback.request) else { return };
        let is_of_now = kept.updates == self.state.updates;
        if let Some(ridge) = self.state.ridge.as_mut().filter(|_| is_of_now) {
            let width = ridge.dim();
            for (own, clicked) in kept.hidden.chunks(width).zip(&feedback.clicks) {
                let own: Vec<f64> = own.iter().map(|x| f64::from(*x)).collect();
                ridge.learn(&own, f64::from(u8::from(*clicked)));
            }
        }
        // Feedback of noise that is gone decides nothing any more.
        if kept.generation != self.state.generation {
            return;
        }
        if kept.share.is_empty() {
            self.state.credit[kept.member] += feedback.clicks.iter().filter(|clicked| **clicked).count() as f64;
        } else {
            let credit = crate::interleave::credit(&kept.share, &feedback.clicks);
            self.state.credit.iter_mut().zip(credit).for_each(|(sum, own)| *sum += own);
        }
        self.state.lists[kept.member] += 1.0;
    }
}

impl Policy for Network {
    fn push(&mut self, asked: &Asked<'_>) -> Result<Vec<Vec<usize>>, RlError> {
        check_clock(self.state.now, asked.now)?;
        super::check_requests(asked.requests)?;
        self.state.now = asked.now;
        self.choose(asked)
    }

    fn hear(&mut self, feedback: &[Feedback]) -> Result<(), RlError> {
        feedback.iter().for_each(|one| self.hear_one(one));
        Ok(())
    }

    fn tick(&mut self, now: f64) -> Result<(), RlError> {
        check_clock(self.state.now, now)?;
        self.state.now = now;
        let learn = self.config.learn.clone();
        self.state.ridge.iter_mut().for_each(Ridge::settle);
        if now >= self.state.next_minor {
            // Clocks that stood still do not make up for it.
            self.state.next_minor = now + learn.minor_minutes * 60.0;
            self.minor()?;
        }
        if now >= self.state.next_major {
            self.state.next_major = now + learn.major_minutes * 60.0;
            self.major()?;
        }
        Ok(())
    }

    fn heard(&self) -> Heard {
        self.state.heard
    }

    fn save(&mut self, beside: Vec<u8>) -> Result<(), RlError> {
        self.write(beside)
    }
}

impl Network {
    /// The draws of a purpose at a request.
    pub(super) fn draws(&self, name: &'static str, at: u64) -> Draws<'static> {
        Draws::new(self.seed, name, at)
    }
}
