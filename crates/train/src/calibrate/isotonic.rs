//! Isotonic regression of labels on scores, by pooling adjacent violators, as knots in log-odds.

use burnrec_features::Curve;

use crate::metrics::Predictions;

/// Pools at most, of two knots each: neighbours are pooled where there are more.
const KNOTS: usize = 1024;

/// Rows that share a rate.
#[derive(Clone, Copy)]
struct Pool {
    weight: f64,
    positive: f64,
    /// Their least and their greatest score.
    from: f64,
    to: f64,
}

/// Fits it to rows whose labels may be shares.
pub(super) fn fit(known: &Predictions) -> Curve {
    let mut order: Vec<usize> = (0..known.rows()).filter(|row| known.weight(*row) > 0.0).collect();
    order.sort_by(|a, b| known.scores[*a].total_cmp(&known.scores[*b]));
    // Rows of one score have one rate, whatever their order.
    let tied = order.chunk_by(|a, b| known.scores[*a] == known.scores[*b]);
    let mut pools: Vec<Pool> = Vec::new();
    for mut pool in tied.map(|rows| Pool::of(known, rows)) {
        while let Some(before) = pools.pop_if(|before| before.rate() >= pool.rate()) {
            pool = before.with(pool);
        }
        pools.push(pool);
    }
    let together = pools.len().div_ceil(KNOTS).max(1);
    let pools = pools.chunks(together).filter_map(|few| few.iter().copied().reduce(Pool::with));
    let total: f64 = order.iter().map(|row| known.weight(*row)).sum();
    // No rate is 0 or 1: the next window may say otherwise.
    let least = 1.0 / (total + 2.0);
    let (mut from, mut to): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for pool in pools {
        let rate = pool.rate().clamp(least, 1.0 - least);
        // Level within a pool, so that its rows have its rate on average: the next window's prior is what this curve says.
        for score in [pool.from, pool.to] {
            if from.last().is_none_or(|last| *last < score) {
                from.push(score);
                to.push((rate / (1.0 - rate)).ln().max(to.last().copied().unwrap_or(f64::MIN)));
            }
        }
    }
    Curve::Knots { from, to }
}

impl Pool {
    fn of(known: &Predictions, rows: &[usize]) -> Self {
        let weight: f64 = rows.iter().map(|row| known.weight(*row)).sum();
        let positive = rows.iter().map(|row| known.weight(*row) * f64::from(known.labels[*row])).sum();
        let score = f64::from(known.scores[rows[0]]);
        Self { weight, positive, from: score, to: score }
    }

    fn rate(&self) -> f64 {
        self.positive / self.weight
    }

    fn with(self, other: Self) -> Self {
        let (weight, positive) = (self.weight + other.weight, self.positive + other.positive);
        Self { weight, positive, from: self.from, to: other.to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knots(scores: &[f32], labels: &[f32]) -> (Vec<f64>, Vec<f64>) {
        let known = Predictions { scores: scores.to_vec(), labels: labels.to_vec(), ..Default::default() };
        match fit(&known) {
            Curve::Knots { from, to } => (from, to),
            Curve::Line { .. } => panic!("no knots"),
        }
    }

    #[test]
    fn violators_are_pooled_and_ends_are_no_certainty() {
        let (from, to) = knots(&[4.0, 1.0, 3.0, 2.0, 1.0], &[1.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(from, [1.0, 2.0, 3.0, 4.0]);
        let wanted = [-(6f64.ln()), 0.0, 0.0, 6f64.ln()];
        assert!(to.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9), "{to:?}");
    }

    #[test]
    fn rows_of_one_score_have_one_rate_in_any_order() {
        for labels in [[0.0, 1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0, 1.0]] {
            let (from, to) = knots(&[0.5, 0.5, 0.5, 0.5, 2.0], &labels);
            assert_eq!((from.len(), to[0]), (2, 0.0), "{from:?} {to:?}");
        }
        // One above and one below at the second score: all three are one pool.
        for labels in [[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]] {
            let (from, to) = knots(&[1.0, 2.0, 2.0], &labels);
            assert!(from == [1.0, 2.0] && to.iter().all(|z| (z - 2f64.ln()).abs() < 1e-6), "{from:?} {to:?}");
        }
    }

    #[test]
    fn knots_are_bounded() {
        let scores: Vec<f32> = (0..5000).map(|n| n as f32 / 1000.0).collect();
        let labels: Vec<f32> = (0..5000).map(|n| n as f32 / 5000.0).collect();
        let (from, _) = knots(&scores, &labels);
        assert!((900..=2 * KNOTS).contains(&from.len()), "{}", from.len());
    }
}
