//! The site as agents meet it: requests, lists, clicks that are known later.

use std::cmp::Reverse;
use std::collections::HashSet;

use arrow::array::RecordBatch;
use burnrec_data::Source;

use super::rows::{Site, rows};
use super::world::{News, Open, State, moment};
use crate::draw::{exponential, place, unit};
use crate::environment::{Environment, Feedback, Request, Tally, check_clock, check_slate};
use crate::error::RlError;

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
                all.push(Feedback { request, time: f64::from_bits(bits), clicks, propensity: None });
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
