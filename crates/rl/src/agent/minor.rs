//! Minor updates: what exploration found, without gradients, or a few steps on what was just heard.

use super::config::{ExploreKind, MinorKind};
use super::network::Network;
use crate::error::RlError;
use crate::explore::{scaled, shaped};
use crate::interleave::winner;

impl Network {
    /// A small change by the feedback since the last one.
    pub(super) fn minor(&mut self) -> Result<(), RlError> {
        let heard = std::mem::take(&mut self.state.since_minor);
        match (self.config.learn.minor, self.config.explore.kind) {
            (MinorKind::None, _) => Ok(()),
            (MinorKind::Sgd, _) => self.learn_in_order(&heard),
            (MinorKind::Explore, ExploreKind::Dbgd) => self.duel(),
            (MinorKind::Explore, ExploreKind::Es) => self.evolve(),
            (MinorKind::Explore, ExploreKind::Population) => self.select(),
            (MinorKind::Explore, _) => Ok(()),
        }
    }

    /// The other network won: the agent's goes towards it. A tie leaves it alone.
    fn duel(&mut self) -> Result<(), RlError> {
        let won = winner(&self.state.credit);
        self.state.duels.0 += u64::from(won.is_some());
        self.state.duels.1 += u64::from(won == Some(1));
        if won == Some(1) {
            let ((noise, _), e) = (self.noise(0), &self.config.explore);
            let (eta, literal) = (e.eta as f32, e.literal);
            self.apart.stepper.weights.change(|model| match literal {
                // W + η (W + ΔW)
                true => noise.on(&scaled(model, 1.0 + eta), eta / (1.0 + eta)),
                false => noise.on(model, eta),
            })?;
        }
        self.renew_noise()
    }

    /// A generation ends: weights go towards the noise of networks that earned more.
    fn evolve(&mut self) -> Result<(), RlError> {
        let all: f64 = self.state.lists.iter().sum();
        let mean = if all > 0.0 { self.state.credit.iter().sum::<f64>() / all } else { 0.0 };
        let of = |(credit, lists): (&f64, &f64)| if *lists > 0.0 { credit / lists } else { mean };
        // Readers who were served by nobody's noise say nothing.
        let returns: Vec<f64> = self.state.credit.iter().zip(&self.state.lists).skip(1).map(of).collect();
        let shape = shaped(&returns);
        let e = self.config.explore.clone();
        for pair in 0..returns.len() / 2 {
            let by = (shape[2 * pair] - shape[2 * pair + 1]) / returns.len() as f64;
            let (noise, _) = self.noise(2 * pair);
            let scale = (e.rate * by / e.sigma) as f32;
            if scale != 0.0 {
                self.apart.stepper.weights.change(|model| noise.on(model, scale))?;
            }
        }
        if all > 0.0 && e.l2 > 0.0 {
            self.apart.stepper.weights.change(|model| scaled(model, (1.0 - e.rate * e.l2) as f32))?;
        }
        self.renew_noise()
    }

    /// The agent's network goes towards those that earned more, each by its share of the step; those that earned less than it go,
    /// at least the one that earned least, and new ones come in their place.
    fn select(&mut self) -> Result<(), RlError> {
        let credit = self.state.credit.clone();
        let winners: Vec<usize> = (1..credit.len()).filter(|member| credit[*member] > credit[0] + 1e-9).collect();
        let eta = self.config.explore.eta as f32 / winners.len().max(1) as f32;
        for member in &winners {
            let (noise, _) = self.noise(member - 1);
            self.apart.stepper.weights.change(|model| noise.on(model, eta))?;
        }
        let least = (1..credit.len()).min_by(|a, b| credit[*a].total_cmp(&credit[*b]));
        if credit.iter().any(|credit| *credit > 0.0) {
            let stays = |member: &usize| credit[*member] + 1e-9 >= credit[0] && Some(*member) != least;
            self.state.seeds = (1..credit.len()).filter(stays).map(|member| self.state.seeds[member - 1]).collect();
        }
        self.renew_noise()
    }
}
