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
    Interval::of(draws.value, draws.draws.iter().flatten().copied().collect())
}

/// What one run has more than another in a metric. Draws of one number are the same groups in both, where both were judged on the
/// same rows; none where they were not.
pub fn difference(run: &Run, base: &Run, metric: &str) -> Option<Interval> {
    let (own, theirs) = (run.draws(metric)?, base.draws(metric)?);
    if !same_rows(run, base) {
        return None;
    }
    let pairs = own.draws.iter().zip(&theirs.draws).filter_map(|(a, b)| Some((*a)? - (*b)?));
    Interval::of(own.value - theirs.value, pairs.collect())
}

/// Whether two runs were judged on as many rows of the same kind, as far as their folders tell.
fn same_rows(run: &Run, base: &Run) -> bool {
    let of = |run: &Run| {
        let details = run.details.as_ref()?;
        let rows = details.tasks.iter().map(|task| (task.task.clone(), task.rows, task.unit.clone()));
        Some((details.side.clone(), rows.collect::<Vec<_>>()))
    };
    match (of(run), of(base)) {
        (Some((side, own)), Some((other, theirs))) => side == other && own.iter().any(|task| theirs.contains(task)),
        _ => false,
    }
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
