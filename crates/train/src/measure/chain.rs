//! What a chain of tasks says of a later one given the earlier: a conversion given its click.

use crate::metrics::Predictions;

/// The log-odds of an event given the one that it follows, from the log-odds of both: `p / q` for p at most q.
pub(crate) fn given(own: f32, parent: f32) -> f32 {
    // ln p - ln q, at most 0, of probabilities behind log-odds.
    let log_sigmoid = |z: f64| -((-z.abs()).exp().ln_1p() + (-z).max(0.0));
    let log_ratio = (log_sigmoid(f64::from(own)) - log_sigmoid(f64::from(parent))).min(-1e-12);
    // Where p is near q, `ln(1 - e^u)` is of a small number.
    (log_ratio - (-log_ratio.exp_m1()).ln()) as f32
}

/// The predictions of a task given its parent, over the rows whose parent's label is 1; `scores` are of all rows, `known`
/// says for each row whether both labels are known and the parent's is 1.
pub(crate) fn predictions(own: &[f32], parent: &[f32], rows: &[GivenRow]) -> Predictions {
    let mut out = Predictions::default();
    for row in rows {
        out.scores.push(given(own[row.row], parent[row.row]));
        out.labels.push(row.label);
        out.weights.extend(row.weight);
        out.groups.extend(row.group);
    }
    out
}

/// A row whose parent's label is 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GivenRow {
    /// Its place among all rows.
    pub(crate) row: usize,
    /// Its label.
    pub(crate) label: f32,
    /// Its weight, where rows are weighted.
    pub(crate) weight: Option<f32>,
    /// Its group, where there are any.
    pub(crate) group: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_odds_given_are_those_of_the_quotient() {
        let odds = |p: f64| (p / (1.0 - p)).ln() as f32;
        for (p, q) in [(0.02, 0.1), (0.3, 0.5), (1e-6, 1e-3), (0.4999, 0.5)] {
            let found = f64::from(given(odds(p), odds(q)));
            let expected = f64::from(odds(p / q));
            assert!((found - expected).abs() < 1e-3 * expected.abs().max(1.0), "{p} {q}: {found} {expected}");
        }
        assert!(given(2.0, 2.0) > 20.0);
    }
}
