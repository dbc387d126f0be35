//! The site as it runs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use arrow::array::RecordBatch;
use burnrec_data::Source;
use serde::{Deserialize, Serialize};

use super::articles::{Article, article, gap};
use super::config::NewsConfig;
use super::reader::Reader;
use super::rows::{Site, columns, rows};
use crate::draw::{exponential, place, unit};
use crate::environment::{Environment, Feedback, Request, Tally, check_clock, check_slate};
use crate::error::RlError;
use crate::made::Made;

/// Lists of a visit at most.
const DEEPEST: u64 = 30;

/// A moment that sorts: seconds that are never negative, by their bits.
fn moment(seconds: f64) -> u64 {
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
    oldest: usize,
    next_article: f64,
    /// When each reader comes next.
    coming: BinaryHeap<Reverse<(u64, usize)>>,
    next_request: u64,
    pub(super) open: HashMap<u64, Open>,
    /// Feedback on its way: when it arrives, of which request.
    heard: BinaryHeap<Reverse<(u64, u64)>>,
    clicks: HashMap<u64, Vec<bool>>,
    sessions: u64,
    depth: u64,
    returns: u64,
    away_hours: f64,
    first_hour: (u64, u64),
}

/// A simulated news site.
pub struct News {
    pub(super) config: NewsConfig,
    pub(super) seed: u64,
    end: f64,
    pub(super) state: State,
    source: Made,
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

    fn publish(&mut self, until: f64) {
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
    fn candidates(&self, user: usize, time: f64) -> Vec<u64> {
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
    fn click_probability(&self, reader: &Reader, article: &Article, now: f64) -> f64 {
        let c = &self.config;
        let age = ((now - article.born) / 3_600.0).max(0.0);
        let z = c.base + c.interest * f64::from(reader.interest[article.topic]) + c.appeal * article.appeal
            - c.satiation * reader.satiation(article.topic)
            - c.ageing * age
            + c.mood * reader.mood;
        1.0 / (1.0 + (-z).exp())
    }

    /// Says when a reader comes again: soon for another list, or later.
    fn go_on(&mut self, user: usize, now: f64, clicked: usize, depth_of_clicks: f64) {
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

impl Environment for News {
    fn requests(&mut self, until: f64) -> Result<Vec<Request>, RlError> {
        check_clock(self.state.now, until)?;
        self.publish(until);
        let (mut requests, mut once) = (Vec::new(), HashSet::new());
        while let Some(Reverse((bits, user))) = self.state.coming.peek().copied() {
            let time = f64::from_bits(bits);
            if time > until || !once.insert(user) {
                break;
            }
            self.state.coming.pop();
            let config = self.config.clone();
            self.state.readers[user].settle(&config, time);
            let candidates = self.candidates(user, time);
            let reader = &mut self.state.readers[user];
            reader.asked.push_back(time);
            (reader.requests, reader.depth) = (reader.requests + 1, reader.depth + 1);
            let id = self.state.next_request;
            self.state.next_request += 1;
            if candidates.is_empty() {
                // Nothing new to read: he leaves.
                self.go_on(user, time, 0, -2.0);
                continue;
            }
            self.state.open.insert(id, Open { user, time, candidates: candidates.clone() });
            requests.push(Request { id, time, user: user as u64, candidates });
        }
        self.state.now = until;
        Ok(requests)
    }

    fn rows(&mut self, requests: &[Request]) -> Result<RecordBatch, RlError> {
        let State { readers, articles, .. } = &self.state;
        rows(&Site { config: &self.config, readers, articles }, requests)
    }

    fn source(&self) -> &dyn Source {
        &self.source
    }

    fn show(&mut self, request: u64, slate: &[usize]) -> Result<(), RlError> {
        let problem = "was not made, or was answered before".to_string();
        let open = self.state.open.get(&request).ok_or(RlError::Slate { request, problem })?;
        check_slate(request, open.candidates.len(), slate)?;
        let Some(Open { user, time, candidates }) = self.state.open.remove(&request) else { return Ok(()) };
        let at = place(user as u64, self.state.readers[user].requests);
        let shown: Vec<u64> = slate.iter().map(|c| candidates[*c]).collect();
        let clicked = |(rank, number): (usize, &u64)| {
            let probability = self.click_probability(&self.state.readers[user], self.article(*number), time);
            let bias = (1.0 + rank as f64).powf(-self.config.position_bias);
            unit(self.seed, "click", place(at, *number)) < probability * bias
        };
        let clicks: Vec<bool> = shown.iter().enumerate().map(clicked).collect();
        let mut depth = 0.0;
        for (number, clicked) in shown.iter().zip(&clicks) {
            let article = &mut self.state.articles[*number as usize];
            article.shown += 1;
            let fresh = time - article.born <= 3_600.0;
            self.state.first_hour.0 += u64::from(fresh);
            self.state.first_hour.1 += u64::from(fresh && *clicked);
            if *clicked {
                article.clicks.add(time);
                depth += article.depth;
                self.state.readers[user].click(&self.config, time, article.topic, article.provider, article.depth);
            }
        }
        let count = clicks.iter().filter(|clicked| **clicked).count();
        let topics: Vec<usize> = shown.iter().map(|number| self.article(*number).topic).collect();
        let reader = &mut self.state.readers[user];
        reader.see(shown.into_iter().zip(topics));
        reader.click_rate += 0.2 * (count as f64 / clicks.len().max(1) as f64 - reader.click_rate);
        reader.last = Some(time);
        self.go_on(user, time, count, depth);
        if unit(self.seed, "lost", at) >= self.config.lost {
            let delay = 1.0 + self.config.delay_seconds * exponential(self.seed, "delay", at);
            self.state.heard.push(Reverse((moment(time + delay), request)));
            self.state.clicks.insert(request, clicks);
        }
        Ok(())
    }

    fn feedback(&mut self, until: f64) -> Vec<Feedback> {
        let mut all = Vec::new();
        while let Some(Reverse((bits, request))) = self.state.heard.peek().copied() {
            if f64::from_bits(bits) > until {
                break;
            }
            self.state.heard.pop();
            if let Some(clicks) = self.state.clicks.remove(&request) {
                all.push(Feedback { request, time: f64::from_bits(bits), clicks });
            }
        }
        all
    }

    fn similarity(&self, a: u64, b: u64) -> f64 {
        let (a, b) = (self.article(a), self.article(b));
        // Topic and provider as one-hot vectors, the topic of twice the weight.
        (4.0 * f64::from(u8::from(a.topic == b.topic)) + f64::from(u8::from(a.provider == b.provider))) / 5.0
    }

    fn truth(&self, request: &Request) -> Option<Vec<(f64, f64)>> {
        let reader = &self.state.readers[request.user as usize];
        let of = |number: &u64| {
            let article = self.article(*number);
            let click = self.click_probability(reader, article, request.time);
            (click, click * article.depth)
        };
        Some(request.candidates.iter().map(of).collect())
    }

    fn tally(&mut self) -> Tally {
        let s = &mut self.state;
        let tally = Tally {
            sessions: s.sessions,
            depth: s.depth,
            returns: s.returns,
            away_hours: s.away_hours,
            first_hour_shown: s.first_hour.0,
            first_hour_clicks: s.first_hour.1,
        };
        (s.sessions, s.depth, s.returns, s.away_hours, s.first_hour) = (0, 0, 0, 0.0, (0, 0));
        tally
    }

    fn end(&self) -> f64 {
        self.end
    }

    fn save(&self) -> Result<Vec<u8>, RlError> {
        let problem = |e: postcard::Error| RlError::State { path: "news simulator".into(), problem: e.to_string() };
        postcard::to_allocvec(&self.state).map_err(problem)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), RlError> {
        let bad = |problem: String| RlError::State { path: "news simulator".into(), problem };
        let state: State = postcard::from_bytes(bytes).map_err(|e| bad(format!("its state is damaged ({e})")))?;
        let topics = state.readers.iter().all(|reader| reader.interest.len() == self.config.topics);
        if state.readers.len() != self.config.users || !topics {
            return Err(bad("its state is of other settings".into()));
        }
        self.state = state;
        Ok(())
    }
}
