//! The site as it runs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::articles::{Article, article, gap};
use super::config::NewsConfig;
use super::reader::Reader;
use super::rows::columns;
use crate::draw::{exponential, place, unit};
use crate::error::RlError;
use crate::made::Made;

/// Lists of a visit at most.
const DEEPEST: u64 = 30;

/// A moment that sorts: seconds that are never negative, by their bits.
pub(super) fn moment(seconds: f64) -> u64 {
    seconds.max(0.0).to_bits()
}

/// A list that a reader waits for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) user: usize,
    pub(super) time: f64,
    pub(super) candidates: Vec<u64>,
}

/// All that moves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) now: f64,
    pub(super) readers: Vec<Reader>,
    pub(super) articles: Vec<Article>,
    /// The first article that may be alive.
    pub(super) oldest: usize,
    pub(super) next_article: f64,
    /// When each reader comes next.
    pub(super) coming: BinaryHeap<Reverse<(u64, usize)>>,
    pub(super) next_request: u64,
    pub(super) open: HashMap<u64, Open>,
    /// Feedback on its way: when it arrives, of which request.
    pub(super) heard: BinaryHeap<Reverse<(u64, u64)>>,
    pub(super) clicks: HashMap<u64, Vec<bool>>,
    pub(super) sessions: u64,
    pub(super) depth: u64,
    pub(super) returns: u64,
    pub(super) away_hours: f64,
    pub(super) first_hour: (u64, u64),
}

/// A simulated news site.
pub struct News {
    pub(super) config: NewsConfig,
    pub(super) seed: u64,
    pub(super) end: f64,
    pub(super) state: State,
    pub(super) source: Made,
}

impl News {
    /// A site that runs for some hours.
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn new(config: NewsConfig, seed: u64, hours: f64) -> Result<Self, RlError> {
        config.check()?;
        let readers: Vec<Reader> = (0..config.users).map(|user| Reader::new(seed, &config, user as u64)).collect();
        let first = |(user, reader): (usize, &Reader)| {
            let wait = exponential(seed, "first visit", user as u64) * config.away_hours * 3_600.0 / reader.rate;
            Reverse((moment(wait), user))
        };
        let coming = readers.iter().enumerate().map(first).collect();
        let state = State {
            now: 0.0,
            coming,
            readers,
            articles: Vec::new(),
            oldest: 0,
            // The site opens with articles in all stages of their lives.
            next_article: -6.0 * config.article_hours * 3_600.0,
            next_request: 1,
            open: HashMap::new(),
            heard: BinaryHeap::new(),
            clicks: HashMap::new(),
            sessions: 0,
            depth: 0,
            returns: 0,
            away_hours: 0.0,
            first_hour: (0, 0),
        };
        Ok(Self { config, seed, end: hours * 3_600.0, state, source: Made::new("news simulator", Vec::new()) })
    }

    /// The columns that its rows have.
    pub fn columns() -> Vec<&'static str> {
        columns()
    }

    /// The article of a number.
    pub(super) fn article(&self, number: u64) -> &Article {
        &self.state.articles[number as usize]
    }

    pub(super) fn publish(&mut self, until: f64) {
        while self.state.next_article <= until {
            let number = self.state.articles.len() as u64;
            let born = self.state.next_article;
            self.state.articles.push(article(self.seed, &self.config, number, born));
            self.state.next_article += gap(self.seed, &self.config, number + 1);
        }
        let is_gone = |article: &Article| article.dies <= until;
        while self.state.articles.get(self.state.oldest).is_some_and(is_gone) {
            self.state.articles[self.state.oldest].clicks = Default::default();
            self.state.oldest += 1;
        }
    }

    /// What may be shown to a reader: of what is alive and new to him, some that are drawn.
    pub(super) fn candidates(&self, user: usize, time: f64) -> Vec<u64> {
        let reader = &self.state.readers[user];
        let seen: HashSet<u64> = reader.seen.iter().copied().collect();
        let alive = |number: &u64| {
            let article = self.article(*number);
            article.born <= time && article.dies > time && !seen.contains(number)
        };
        let at = place(user as u64, reader.requests);
        let all = (self.state.oldest as u64..self.state.articles.len() as u64).filter(alive);
        let mut drawn: Vec<(u64, u64)> = all.map(|number| (place(at ^ self.seed, number), number)).collect();
        drawn.sort_unstable();
        drawn.truncate(self.config.candidates);
        let mut numbers: Vec<u64> = drawn.into_iter().map(|(_, number)| number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// How probable it is that a reader clicks an article in the first place.
    pub(super) fn click_probability(&self, reader: &Reader, article: &Article, now: f64) -> f64 {
        let c = &self.config;
        let age = ((now - article.born) / 3_600.0).max(0.0);
        let z = c.base + c.interest * f64::from(reader.interest[article.topic]) + c.appeal * article.appeal
            - c.satiation * reader.satiation(article.topic)
            - c.ageing * age
            + c.mood * reader.mood;
        1.0 / (1.0 + (-z).exp())
    }

    /// Says when a reader comes again: soon for another list, or later.
    pub(super) fn go_on(&mut self, user: usize, now: f64, clicked: usize, depth_of_clicks: f64) {
        let (seed, away_hours) = (self.seed, self.config.away_hours);
        let (c, stay) = (self.config.depth, self.config.stay);
        let reader = &mut self.state.readers[user];
        let at = place(user as u64, reader.requests);
        let pleased = if clicked > 0 { 0.3 } else { -0.8 };
        let stays = 1.0 / (1.0 + (-(pleased + stay * depth_of_clicks + reader.mood)).exp());
        if reader.depth < DEEPEST && unit(seed, "stay", at) < stays {
            let gap = 60.0 + 60.0 * exponential(seed, "gap", at);
            self.state.coming.push(Reverse((moment(now + gap), user)));
            return;
        }
        self.state.sessions += 1;
        self.state.depth += reader.depth;
        (reader.depth, reader.visit) = (0, reader.visit + 1);
        let hours = 0.25 + exponential(seed, "away", at) * away_hours * (-1.5 * c * reader.mood).exp() / reader.rate;
        self.state.returns += 1;
        self.state.away_hours += hours;
        self.state.coming.push(Reverse((moment(now + hours * 3_600.0), user)));
    }
}
