//! Agents side by side: means over seeds with intervals, and differences to one of them, seed by seed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::ORACLE;
use super::measure::Measures;

/// What an agent came to on a seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The agent.
    pub agent: String,
    /// What it came to.
    pub measures: Measures,
}

/// A mean over seeds, and its interval of 95% by Student's t; none of one seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The interval.
    pub interval: Option<(f64, f64)>,
}

/// An agent beside the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Each measure.
    pub measures: BTreeMap<String, Spread>,
    /// What it has more than the baseline on the same seed; nothing for the baseline itself.
    pub differences: BTreeMap<String, Spread>,
}

/// A simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `completed`, or `interrupted` by a signal.
    pub status: String,
    /// Whom others are compared with.
    pub baseline: String,
    /// The seeds of each agent that were run.
    pub seeds: BTreeMap<String, Vec<u64>>,
    /// The agents, in the order of the file.
    pub order: Vec<String>,
    /// What they came to.
    pub agents: BTreeMap<String, Compared>,
    /// Version of burnrec.
    pub version: String,
}

/// Student's t for an interval of 95%, by degrees of freedom.
fn student(freedom: usize) -> f64 {
    const T: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ];
    T.get(freedom.saturating_sub(1)).copied().unwrap_or(1.96)
}

impl Spread {
    /// Of one value a seed; none without one.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = (n > 0.0).then(|| values.iter().sum::<f64>() / n)?;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let half = student(values.len() - 1) * (variance / n).sqrt();
        Some(Self { mean, interval: (values.len() > 1).then_some((mean - half, mean + half)) })
    }
}

impl Report {
    /// Compares agents over the seeds that they have in common.
    pub(super) fn new(outcomes: &[Outcome], order: &[String], baseline: &str, interrupted: bool) -> Self {
        let mut all: BTreeMap<&str, BTreeMap<u64, BTreeMap<&'static str, Option<f64>>>> = BTreeMap::new();
        for outcome in outcomes {
            all.entry(&outcome.agent).or_default().insert(outcome.seed, outcome.measures.totals());
        }
        let best: BTreeMap<u64, f64> = all
            .get(ORACLE)
            .into_iter()
            .flat_map(|seeds| seeds.iter().filter_map(|(seed, totals)| Some((*seed, totals["clicks"]?))))
            .collect();
        for totals in all.values_mut().flat_map(BTreeMap::iter_mut) {
            let (seed, totals) = totals;
            let regret = best.get(seed).and_then(|best| Some(best - totals["clicks"]?));
            totals.insert("regret", regret);
        }
        let base = all.get(baseline).cloned().unwrap_or_default();
        let compared = |(name, seeds): (&&str, &BTreeMap<u64, BTreeMap<&'static str, Option<f64>>>)| {
            let names: Vec<&'static str> = seeds.values().next().into_iter().flat_map(|t| t.keys().copied()).collect();
            let values = |measure: &'static str, of: &dyn Fn(u64, f64) -> Option<f64>| {
                let each = seeds.iter().filter_map(|(seed, totals)| of(*seed, totals[measure]?));
                Spread::of(&each.collect::<Vec<_>>()).map(|spread| (measure.to_string(), spread))
            };
            let against = |measure: &'static str| {
                values(measure, &|seed, own| base.get(&seed).and_then(|t| Some(own - t[measure]?)))
            };
            let measures = names.iter().filter_map(|measure| values(measure, &|_, own| Some(own))).collect();
            let differences = match **name == *baseline {
                true => BTreeMap::new(),
                false => names.iter().filter_map(|measure| against(measure)).collect(),
            };
            ((*name).to_string(), Compared { measures, differences })
        };
        Self {
            status: if interrupted { "interrupted" } else { "completed" }.into(),
            baseline: baseline.into(),
            seeds: all.iter().map(|(name, seeds)| ((*name).to_string(), seeds.keys().copied().collect())).collect(),
            order: order.to_vec(),
            agents: all.iter().map(compared).collect(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// The file's text.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// A line of JSON an hour, agent and seed.
pub(super) fn hours(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    let best: BTreeMap<u64, &Measures> =
        outcomes.iter().filter(|o| o.agent == ORACLE).map(|o| (o.seed, &o.measures)).collect();
    for Outcome { seed, agent, measures } in outcomes {
        let (mut own, mut oracle) = (0, 0);
        let allows = measures.allows();
        let of_lists = |value: Option<f64>| value.filter(|_| !allows.weighed);
        let of_choices = |value: f64| allows.weighed.then_some(value);
        for (number, hour) in measures.hours.iter().enumerate() {
            own += hour.clicks;
            let of_best = best.get(seed).and_then(|best| best.hours.get(number));
            oracle += of_best.map_or(0, |hour| hour.clicks);
            let rate = |top: f64, bottom: f64| (bottom > 0.0).then(|| top / bottom);
            let line = serde_json::json!({
                "seed": seed,
                "agent": agent,
                "hour": number + 1,
                "lists": hour.lists,
                "clicks": hour.clicks,
                "ctr": rate(hour.clicks as f64, hour.places as f64),
                "ndcg": of_lists(rate(hour.ndcg, hour.ndcg_lists as f64)),
                "precision_5": of_lists(rate(hour.precision_5, hour.heard as f64)),
                "ils": rate(hour.ils.0, hour.ils.1 as f64),
                "ils_shown": rate(hour.ils_shown.0, hour.ils_shown.1 as f64),
                "snips": rate(hour.weighed.clicks, hour.weighed.weights),
                "weights": of_choices(hour.weighed.weights),
                "weighed_clicks": of_choices(hour.weighed.clicks),
                "activeness": Some(hour.activeness).filter(|_| allows.users),
                "session_depth": rate(hour.hidden[1], hour.hidden[0]),
                "hours_away": rate(hour.hidden[3], hour.hidden[2]),
                "first_hour_ctr": rate(hour.hidden[5], hour.hidden[4]),
                "regret": of_best.map(|_| oracle as i64 - own as i64),
            });
            text += &format!("{line}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_student() {
        let spread = Spread::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let half = 2.776 * (2.5f64 / 5.0).sqrt();
        assert_eq!(spread.mean, 3.0);
        let (low, high) = spread.interval.unwrap();
        assert!((low - (3.0 - half)).abs() < 1e-12 && (high - (3.0 + half)).abs() < 1e-12);
        assert_eq!(Spread::of(&[4.0]).unwrap().interval, None);
        assert_eq!(Spread::of(&[]), None);
    }
}
