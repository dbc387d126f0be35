//! What an agent comes to, hour by hour.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::weighed::{Allows, Weighed};
use crate::activeness::{Activeness, ActivenessConfig};
use crate::agent::Heard;
use crate::environment::{Feedback, Request, Tally};

/// Places of a precision.
const TOP: usize = 5;

/// An hour: sums, and what they are of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hour {
    /// Lists.
    pub lists: u64,
    /// Places of lists whose feedback came.
    pub places: u64,
    /// Clicks.
    pub clicks: u64,
    /// Sum of NDCG over lists with a click: against the best order of their own clicks, or of all that the request's candidates
    /// would have had, where that is known.
    pub ndcg: f64,
    /// How many those are.
    pub ndcg_lists: u64,
    /// Sum of the share of the first five places that was clicked, over lists whose feedback came.
    pub precision_5: f64,
    /// How many those are.
    pub heard: u64,
    /// Sum over users of the mean similarity of pairs of items that they clicked in the hour, and how many users had pairs.
    pub ils: (f64, u64),
    /// The same of lists as they were shown.
    pub ils_shown: (f64, u64),
    /// Mean activeness of all users that ever came, at its end.
    pub activeness: f64,
    /// Lists that stand for others, by one over their propensity.
    #[serde(default)]
    pub weighed: Weighed,
    /// What no agent sees: sessions, their requests, returns, hours away, shown items in their first hour, clicks on them.
    pub hidden: [f64; 6],
}

/// All hours of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// The hours.
    pub hours: Vec<Hour>,
    /// What was made of the feedback.
    pub heard: Heard,
    now: Hour,
    /// Lists that are waited for.
    open: BTreeMap<u64, Open>,
    /// Items that users clicked in this hour.
    clicked: BTreeMap<u64, Vec<u64>>,
    activeness: Activeness,
    allows: Allows,
}

/// A list that is waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    user: u64,
    time: f64,
    items: Vec<u64>,
    /// Candidates that would be clicked, where that is known.
    liked: Option<usize>,
}

/// Seconds after which nobody waits for a list any more, beside those until a click is known.
const LOST: f64 = 86_400.0;

impl Measures {
    pub(super) fn new(activeness: ActivenessConfig, allows: Allows) -> Self {
        Self {
            hours: Vec::new(),
            heard: Heard::default(),
            now: Hour::default(),
            open: BTreeMap::new(),
            clicked: BTreeMap::new(),
            activeness: Activeness::new(activeness),
            allows,
        }
    }

    /// What figures the environment allows.
    pub(super) fn allows(&self) -> Allows {
        self.allows
    }

    /// Clicks of all hours.
    pub fn clicks(&self) -> u64 {
        self.hours.iter().map(|hour| hour.clicks).sum()
    }

    /// Lists of all hours.
    pub fn lists(&self) -> u64 {
        self.hours.iter().map(|hour| hour.lists).sum()
    }

    /// The hours alone, once there will be no more.
    pub(super) fn ended(mut self) -> Self {
        self.open.clear();
        self.activeness = self.activeness.emptied();
        self
    }

    /// Takes in that a list was shown; `liked` is how many candidates would be clicked, where that is known.
    pub(super) fn shown(
        &mut self,
        request: &Request,
        slate: &[usize],
        liked: Option<usize>,
        similar: impl Fn(u64, u64) -> f64,
    ) {
        self.activeness.comes(request.user, request.time);
        let items: Vec<u64> = slate.iter().map(|place| request.candidates[*place]).collect();
        add(&mut self.now.ils_shown, &items, &similar);
        self.now.lists += 1;
        self.open.insert(request.id, Open { user: request.user, time: request.time, items, liked });
    }

    /// Takes in what became of a list.
    pub(super) fn heard_of(&mut self, feedback: &Feedback) {
        let Some(Open { user, items, liked, .. }) = self.open.remove(&feedback.request) else { return };
        let clicks = &feedback.clicks;
        let count = clicks.iter().filter(|clicked| **clicked).count();
        let gain = |rank: usize| 1.0 / (rank as f64 + 2.0).log2();
        self.now.places += clicks.len() as u64;
        self.now.clicks += count as u64;
        self.now.heard += 1;
        if let Some(propensity) = feedback.propensity {
            self.now.weighed.add(propensity, count);
        }
        self.now.precision_5 += clicks.iter().take(TOP).filter(|clicked| **clicked).count() as f64 / TOP as f64;
        if count > 0 {
            let found: f64 =
                clicks.iter().enumerate().filter(|(_, clicked)| **clicked).map(|(rank, _)| gain(rank)).sum();
            let best = liked.unwrap_or(count).clamp(count, clicks.len());
            self.now.ndcg += found / (0..best).map(gain).sum::<f64>();
            self.now.ndcg_lists += 1;
            let clicked = items.iter().zip(clicks).filter(|(_, clicked)| **clicked).map(|(item, _)| *item);
            self.clicked.entry(user).or_default().extend(clicked);
        }
    }

    /// Ends an hour.
    pub(super) fn end_hour(&mut self, now: f64, tally: Tally, similar: impl Fn(u64, u64) -> f64) {
        for items in std::mem::take(&mut self.clicked).values() {
            add(&mut self.now.ils, items, &similar);
        }
        self.open.retain(|_, open| now - open.time < LOST + self.allows.delay_seconds);
        self.now.activeness = self.activeness.mean(now).unwrap_or(0.0);
        let Tally { sessions, depth, returns, away_hours, first_hour_shown, first_hour_clicks } = tally;
        let count = |x: u64| x as f64;
        self.now.hidden = [
            count(sessions),
            count(depth),
            count(returns),
            away_hours,
            count(first_hour_shown),
            count(first_hour_clicks),
        ];
        self.hours.push(std::mem::take(&mut self.now));
    }

    /// The lists with propensities of all hours.
    fn weighed(&self) -> Weighed {
        self.hours.iter().map(|hour| hour.weighed).sum()
    }

    /// The mean weight, where it lies further from 1 than chance explains: propensities are then not those of the log's policy.
    pub(super) fn doubtful_weight(&self) -> Option<f64> {
        self.weighed().doubtful_mean(self.lists()).filter(|_| self.allows.weighed)
    }

    /// The measures over all hours; none where nothing is known.
    pub fn totals(&self) -> BTreeMap<&'static str, Option<f64>> {
        let sum = |of: &dyn Fn(&Hour) -> f64| self.hours.iter().map(of).sum::<f64>();
        let rate = |top: f64, bottom: f64| (bottom > 0.0).then(|| top / bottom);
        let hidden = |at: usize| sum(&|hour| hour.hidden[at]);
        let clicks = sum(&|hour| hour.clicks as f64);
        let (lists, weighed) = (sum(&|hour| hour.lists as f64), self.weighed());
        let of_choices = |value: Option<f64>| value.filter(|_| self.allows.weighed);
        let of_lists = |value: Option<f64>| value.filter(|_| !self.allows.weighed);
        BTreeMap::from([
            ("clicks", Some(clicks)),
            ("lists", Some(lists)),
            ("ctr", rate(clicks, sum(&|hour| hour.places as f64))),
            ("ndcg", of_lists(rate(sum(&|hour| hour.ndcg), sum(&|hour| hour.ndcg_lists as f64)))),
            ("precision_5", of_lists(rate(sum(&|hour| hour.precision_5), sum(&|hour| hour.heard as f64)))),
            ("ils", rate(sum(&|hour| hour.ils.0), sum(&|hour| hour.ils.1 as f64))),
            ("ils_shown", rate(sum(&|hour| hour.ils_shown.0), sum(&|hour| hour.ils_shown.1 as f64))),
            ("activeness", self.hours.last().map(|hour| hour.activeness).filter(|_| self.allows.users)),
            ("session_depth", rate(hidden(1), hidden(0))),
            ("ips", of_choices(rate(weighed.clicks, lists))),
            ("snips", of_choices(rate(weighed.clicks, weighed.weights))),
            ("matched", of_choices(rate(weighed.lists as f64, lists))),
            ("mean_weight", of_choices(rate(weighed.weights, lists))),
            ("hours_away", rate(hidden(3), hidden(2))),
            ("first_hour_ctr", rate(hidden(5), hidden(4))),
        ])
    }
}

/// Adds the mean similarity of all pairs of some items.
fn add(sum: &mut (f64, u64), items: &[u64], similar: &impl Fn(u64, u64) -> f64) {
    if items.len() < 2 {
        return;
    }
    let mut known: HashMap<(u64, u64), f64> = HashMap::new();
    let mut all = 0.0;
    for (at, a) in items.iter().enumerate() {
        for b in &items[..at] {
            all += *known.entry((*a, *b)).or_insert_with(|| similar(*a, *b));
        }
    }
    let pairs = items.len() * (items.len() - 1) / 2;
    *sum = (sum.0 + all / pairs as f64, sum.1 + 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matched_stands_for_as_many_as_its_propensity_says() {
        let mut measures = Measures::new(ActivenessConfig::default(), Allows { weighed: true, ..Allows::default() });
        for (id, heard) in [(1, Some((0.5, true))), (2, Some((0.1, false))), (3, None), (4, Some((0.25, true)))] {
            let request = Request { id, time: 0.0, user: id, candidates: vec![1, 2] };
            measures.shown(&request, &[0], None, |_, _| 0.0);
            if let Some((propensity, clicked)) = heard {
                let propensity = Some(propensity);
                measures.heard_of(&Feedback { request: id, time: 1.0, clicks: vec![clicked], propensity });
            }
        }
        measures.end_hour(3_600.0, Tally::default(), |_, _| 0.0);
        let totals = measures.totals();
        // Weights 2, 10 and 4; clicks of weight 6; of four lists three matched.
        let near = |measure: &str, wanted: f64| assert!((totals[measure].unwrap() - wanted).abs() < 1e-12, "{measure}");
        near("snips", 6.0 / 16.0);
        near("ips", 6.0 / 4.0);
        near("matched", 3.0 / 4.0);
        near("ctr", 2.0 / 3.0);
        near("mean_weight", 16.0 / 4.0);
        let logged = Measures::new(ActivenessConfig::default(), Allows::default()).totals();
        assert_eq!([logged["snips"], logged["ips"], logged["matched"]], [None; 3]);
    }

    #[test]
    fn lists_are_counted_by_hand() {
        let mut measures = Measures::new(ActivenessConfig::default(), Allows { users: true, ..Allows::default() });
        let request = Request { id: 1, time: 0.0, user: 3, candidates: vec![10, 11, 12] };
        let similar = |a: u64, b: u64| if a + b == 23 { 1.0 } else { 0.5 };
        measures.shown(&request, &[2, 0, 1], None, similar);
        measures.heard_of(&Feedback { request: 1, time: 5.0, clicks: vec![false, true, true], propensity: None });
        measures.heard_of(&Feedback { request: 1, time: 6.0, clicks: vec![true, true, true], propensity: None });
        measures.end_hour(3_600.0, Tally { sessions: 2, depth: 6, ..Tally::default() }, similar);
        let totals = measures.totals();
        let log = |x: f64| 1.0 / x.log2();
        let wanted = (log(3.0) + log(4.0)) / (1.0 + log(3.0));
        assert!((totals["ndcg"].unwrap() - wanted).abs() < 1e-12);
        assert_eq!(
            (totals["ctr"], totals["precision_5"], totals["session_depth"]),
            (Some(2.0 / 3.0), Some(0.4), Some(3.0))
        );
        let mut logged = Measures::new(ActivenessConfig::default(), Allows { users: true, ..Allows::default() });
        logged.shown(&request, &[0, 1], Some(5), similar);
        logged.heard_of(&Feedback { request: 1, time: 5.0, clicks: vec![true, false], propensity: None });
        logged.end_hour(3_600.0, Tally::default(), similar);
        assert!((logged.totals()["ndcg"].unwrap() - 1.0 / (1.0 + log(3.0))).abs() < 1e-12, "five were to be found");
        assert_eq!(
            (totals["ils"], totals["ils_shown"], totals["first_hour_ctr"]),
            (Some(0.5), Some((0.5 + 1.0 + 0.5) / 3.0), None)
        );
    }
}
