//! Readers: what they like, how tired they are of it, when they come.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::articles::WINDOWS;
use super::config::NewsConfig;
use crate::draw::Draws;

/// Articles that a reader is not shown again.
const REMEMBERED: usize = 200;

/// A reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Reader {
    /// Interest in each topic, -1..1.
    pub(super) interest: Vec<f32>,
    /// How much more often than others he comes.
    pub(super) rate: f64,
    /// -1..1.
    pub(super) mood: f64,
    satiation: Vec<f32>,
    /// Clicks and articles shown of each topic, ever.
    topics: Vec<(u32, u32)>,
    /// The second that satiation and mood are of.
    then: f64,
    /// Clicks of the last 24 hours: when, topic, provider.
    pub(super) clicks: VecDeque<(f64, u16, u16)>,
    /// Requests of the last 24 hours.
    pub(super) asked: VecDeque<f64>,
    /// A mean of how much of each list was clicked, the latest ones first.
    pub(super) click_rate: f64,
    /// When he came last.
    pub(super) last: Option<f64>,
    /// Visits, and requests of this one.
    pub(super) visit: u64,
    pub(super) depth: u64,
    /// Requests in all.
    pub(super) requests: u64,
    pub(super) seen: VecDeque<u64>,
}

impl Reader {
    /// The reader of a number: a few topics that he likes, most that he does not.
    pub(super) fn new(seed: u64, config: &NewsConfig, number: u64) -> Self {
        let mut draws = Draws::new(seed, "reader", number);
        let interest = (0..config.topics).map(|_| (1.6 * draws.unit().powi(3) - 0.6) as f32).collect();
        Self {
            interest,
            rate: (0.5 * draws.normal()).exp(),
            mood: 0.0,
            satiation: vec![0.0; config.topics],
            topics: vec![(0, 0); config.topics],
            then: 0.0,
            clicks: VecDeque::new(),
            asked: VecDeque::new(),
            click_rate: 0.2,
            last: None,
            visit: 0,
            depth: 0,
            requests: 0,
            seen: VecDeque::new(),
        }
    }

    /// Lets time pass.
    pub(super) fn settle(&mut self, config: &NewsConfig, now: f64) {
        let hours = (now - self.then).max(0.0) / 3_600.0;
        let fade = (-hours / config.recovery_hours).exp();
        self.satiation.iter_mut().for_each(|s| *s *= fade as f32);
        // Moods last longer than tiredness.
        self.mood *= (-hours / (6.0 * config.recovery_hours)).exp();
        self.then = self.then.max(now);
        let since = now - WINDOWS[2] * 3_600.0;
        while self.clicks.front().is_some_and(|(time, ..)| *time < since) {
            self.clicks.pop_front();
        }
        while self.asked.front().is_some_and(|time| *time < since) {
            self.asked.pop_front();
        }
    }

    pub(super) fn satiation(&self, topic: usize) -> f64 {
        f64::from(self.satiation[topic])
    }

    /// Takes a click in.
    pub(super) fn click(&mut self, config: &NewsConfig, now: f64, topic: usize, provider: usize, depth: f64) {
        self.satiation[topic] += 1.0;
        self.topics[topic].0 += 1;
        self.mood = (self.mood + 0.25 * config.depth * depth).clamp(-1.0, 1.0);
        self.clicks.push_back((now, topic as u16, provider as u16));
    }

    /// The share of articles of a topic that were clicked, ever; at first what is usual.
    pub(super) fn topic_rate(&self, topic: usize) -> f64 {
        let (clicks, shown) = self.topics[topic];
        (f64::from(clicks) + 0.6) / (f64::from(shown) + 3.0)
    }

    /// Takes in that articles were shown: their numbers and topics.
    pub(super) fn see(&mut self, articles: impl Iterator<Item = (u64, usize)>) {
        for (number, topic) in articles {
            self.seen.push_back(number);
            self.topics[topic].1 += 1;
        }
        while self.seen.len() > REMEMBERED {
            self.seen.pop_front();
        }
    }

    /// Clicks in the last hour, 6 hours, 24 hours that `is` holds of.
    pub(super) fn counts(&self, now: f64, is: impl Fn(u16, u16) -> bool) -> [f64; 3] {
        let mut counts = [0.0; 3];
        for (time, ..) in self.clicks.iter().filter(|(_, topic, provider)| is(*topic, *provider)) {
            for (count, hours) in counts.iter_mut().zip(WINDOWS) {
                *count += f64::from(u8::from(now - time <= hours * 3_600.0));
            }
        }
        counts
    }
}
