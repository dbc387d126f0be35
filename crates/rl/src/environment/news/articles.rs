//! Articles: when they appear and expire, what they are about, who clicked them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::config::NewsConfig;
use crate::draw::{Draws, exponential, unit};

/// Hours of the windows in which clicks are counted.
pub(super) const WINDOWS: [f64; 3] = [1.0, 6.0, 24.0];

/// An article. What it is follows from the seed and its number; only its clicks are told apart by what was shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Article {
    pub(super) born: f64,
    pub(super) dies: f64,
    pub(super) topic: usize,
    pub(super) provider: usize,
    /// Of the headline: mean 0, standard deviation 1.
    pub(super) appeal: f64,
    /// What a click on it does to the mood, -1..1.
    pub(super) depth: f64,
    pub(super) clicks: Clicks,
    pub(super) shown: u64,
}

/// When something was clicked in the last 24 hours, counted in windows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Clicks {
    times: VecDeque<f64>,
    all: u64,
}

impl Clicks {
    pub(super) fn add(&mut self, now: f64) {
        self.times.push_back(now);
        self.all += 1;
        self.forget(now);
    }

    fn forget(&mut self, now: f64) {
        while self.times.front().is_some_and(|time| now - time > WINDOWS[2] * 3_600.0) {
            self.times.pop_front();
        }
    }

    /// Clicks in the last hour, 6 hours, 24 hours.
    pub(super) fn counts(&self, now: f64) -> [f64; 3] {
        WINDOWS.map(|hours| {
            let since = now - hours * 3_600.0;
            // They come nearly in order: what is late by some seconds does not matter here.
            (self.times.len() - self.times.partition_point(|time| *time < since)) as f64
        })
    }

    pub(super) fn all(&self) -> f64 {
        self.all as f64
    }
}

/// How deep a provider writes, -1..1.
fn depth_of(seed: u64, provider: usize) -> f64 {
    2.0 * unit(seed, "provider", provider as u64) - 1.0
}

/// The article of a number.
pub(super) fn article(seed: u64, config: &NewsConfig, number: u64, born: f64) -> Article {
    let mut draws = Draws::new(seed, "article", number);
    let topic = draws.below(config.topics);
    let provider = draws.below(config.providers);
    let depth = (0.8 * depth_of(seed, provider) + 0.3 * draws.normal()).clamp(-1.0, 1.0);
    // Shallow headlines catch more eyes.
    let appeal = 0.6 * draws.normal() - config.bait * depth;
    let life = exponential(seed, "life", number).clamp(0.1, 6.0) * config.article_hours * 3_600.0;
    Article { born, dies: born + life, topic, provider, appeal, depth, clicks: Clicks::default(), shown: 0 }
}

/// Seconds until the article of a number appears, after the one before it.
pub(super) fn gap(seed: u64, config: &NewsConfig, number: u64) -> f64 {
    exponential(seed, "arrival", number) * 3_600.0 / config.articles_per_hour
}
