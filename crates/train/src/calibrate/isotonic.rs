//! Isotonic regression of labels on scores, by pooling adjacent violators, as knots in log-odds.

use burnrec_features::Curve;

use crate::metrics::Predictions;

/// Rows that share a rate.
#[derive(Clone, Copy)]
struct Pool {
    weight: f64,
    positive: f64,
    scores: f64,
}

/// Fits it to rows of both classes.
pub(super) fn fit(known: &Predictions) -> Curve {
    let mut order: Vec<usize> = (0..known.rows()).filter(|row| known.weight(*row) > 0.0).collect();
    order.sort_by(|a, b| known.scores[*a].total_cmp(&known.scores[*b]));
    let mut pools: Vec<Pool> = Vec::new();
    let mut last = None;
    for row in order {
        let (weight, score) = (known.weight(row), f64::from(known.scores[row]));
        let mut pool = Pool { weight, positive: weight * f64::from(known.labels[row]), scores: weight * score };
        // Rows of one score are one from the start.
        let tied = last == Some(known.scores[row]);
        last = Some(known.scores[row]);
        while let Some(before) = pools.last().copied().filter(|b| (tied && b.ends_at(score)) || b.rate() >= pool.rate())
        {
            pool = before.with(pool);
            pools.pop();
        }
        pools.push(pool);
    }
    let total: f64 = pools.iter().map(|pool| pool.weight).sum();
    // No rate is 0 or 1: the next window may say otherwise.
    let least = 1.0 / (total + 2.0);
    let (mut from, mut to): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for pool in pools {
        let rate = pool.rate().clamp(least, 1.0 - least);
        let (score, odds) = (pool.scores / pool.weight, (rate / (1.0 - rate)).ln());
        if from.last().is_none_or(|last| *last < score) {
            from.push(score);
            to.push(odds.max(to.last().copied().unwrap_or(odds)));
        }
    }
    Curve::Knots { from, to }
}

impl Pool {
    fn rate(&self) -> f64 {
        self.positive / self.weight
    }

    fn with(self, other: Self) -> Self {
        Self {
            weight: self.weight + other.weight,
            positive: self.positive + other.positive,
            scores: self.scores + other.scores,
        }
    }

    /// Whether all of its rows have this score.
    fn ends_at(&self, score: f64) -> bool {
        (self.scores / self.weight - score).abs() < 1e-12 * score.abs().max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violators_are_pooled_and_ends_are_no_certainty() {
        let known = Predictions {
            scores: vec![4.0, 1.0, 3.0, 2.0, 1.0],
            labels: vec![1.0, 0.0, 0.0, 1.0, 0.0],
            ..Default::default()
        };
        let Curve::Knots { from, to } = fit(&known) else { panic!("no knots") };
        assert_eq!(from, [1.0, 2.5, 4.0]);
        let wanted = [-(6f64.ln()), 0.0, 6f64.ln()];
        assert!(to.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9), "{to:?}");
    }

    #[test]
    fn rows_of_one_score_have_one_rate_in_any_order() {
        for labels in [vec![0.0, 1.0, 1.0, 0.0, 1.0], vec![1.0, 1.0, 0.0, 0.0, 1.0]] {
            let known = Predictions { scores: vec![0.5, 0.5, 0.5, 0.5, 2.0], labels, ..Default::default() };
            let Curve::Knots { from, to } = fit(&known) else { panic!("no knots") };
            assert_eq!((from.len(), to[0]), (2, 0.0), "{from:?} {to:?}");
        }
    }
}
