//! Intervals of metrics, and of differences between runs, from draws with replacement.

use burnrec_record::MetricDraws;

use crate::run::Run;

/// The share of draws that lies outside of an interval, both ends together.
const OUTSIDE: f64 = 0.05;

/// Draws without which nothing is said.
const FEWEST: usize = 20;

/// A value and where 95% of what rows drawn anew would give lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The value.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Of draws; none where there are too few.
    fn of(value: f64, mut draws: Vec<f64>) -> Option<Self> {
        if draws.len() < FEWEST {
            return None;
        }
        draws.sort_by(f64::total_cmp);
        // Draws of metrics such as ECE lie beside the value by what drawing anew adds to them: their spread counts, not their place.
        let shift = value - draws.iter().sum::<f64>() / draws.len() as f64;
        let at = |share: f64| {
            let place = share * (draws.len() - 1) as f64;
            let (below, part) = (place.floor() as usize, place.fract());
            let above = (below + 1).min(draws.len() - 1);
            draws[below] + part * (draws[above] - draws[below]) + shift
        };
        Some(Self { value, low: at(OUTSIDE / 2.0), high: at(1.0 - OUTSIDE / 2.0) })
    }

    /// Whether 0 lies outside.
    pub fn is_significant(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// The interval of a metric.
pub fn interval(draws: &MetricDraws) -> Option<Interval> {
    let found = Interval::of(draws.value, draws.draws.iter().flatten().copied().collect())?;
    // Shares lie within 0 and 1, and no metric below 0.
    let name = draws.metric.split('@').next().unwrap_or_default();
    let most = match name {
        "auc" | "gauc" | "accuracy" | "ece" | "ndcg" | "hr" | "recall" | "mrr" => 1.0,
        _ => f64::INFINITY,
    };
    Some(Interval { low: found.low.max(0.0), high: found.high.min(most), ..found })
}

/// What one run has more than another in a metric. Draws of one number are the same groups in both, where both were judged on the
/// same rows; none where they were not.
pub fn difference(run: &Run, base: &Run, metric: &str) -> Option<Interval> {
    let ((own_task, own), (their_task, theirs)) = (run.task_draws(metric)?, base.task_draws(metric)?);
    let same = !own_task.fingerprint.is_empty() && own_task.fingerprint == their_task.fingerprint;
    if !same || own_task.unit != their_task.unit {
        return None;
    }
    let pairs = own.draws.iter().zip(&theirs.draws).filter_map(|(a, b)| Some((*a)? - (*b)?));
    Interval::of(own.value - theirs.value, pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_the_middle_of_the_draws() {
        let draws: Vec<f64> = (0..=200).map(|n| f64::from(n) / 200.0).collect();
        let found = Interval::of(0.5, draws).unwrap();
        assert!((found.low - 0.025).abs() < 1e-9 && (found.high - 0.975).abs() < 1e-9, "{found:?}");
        assert!(found.is_significant());
        assert!(!Interval { value: 0.1, low: -0.1, high: 0.3 }.is_significant());
        assert_eq!(Interval::of(0.5, vec![0.5; 19]), None);
    }
}
