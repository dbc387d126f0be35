//! Platt's scale and shift, by Newton's method with halved steps (Lin, Lin and Weng, 2007).

use burnrec_features::Curve;

use crate::metrics::Predictions;

/// Steps at most; some five are the rule.
const STEPS: usize = 100;

struct Fit<'a> {
    known: &'a Predictions,
    /// What a positive and a negative count as: not quite 1 and 0, so that a window that is told apart whole has a finite fit.
    targets: [f64; 2],
}

/// Fits it to rows whose labels may be shares. Rows of a prior keep the fit finite as they are; without them it is `softened`.
pub(super) fn fit(known: &Predictions, softened: bool) -> Curve {
    let mut weights = [0.0; 2];
    for row in 0..known.rows() {
        let (label, weight) = (f64::from(known.labels[row]), known.weight(row));
        weights = [weights[0] + weight * (1.0 - label), weights[1] + weight * label];
    }
    // What is softened becomes the prior of what is fitted next: it would be softened again and again.
    let targets = match softened {
        true => [1.0 / (weights[0] + 2.0), (weights[1] + 1.0) / (weights[1] + 2.0)],
        false => [0.0, 1.0],
    };
    let fit = Fit { known, targets };
    let [scale, shift] = fit.solve([1.0, 0.0], true);
    match scale > 1e-6 {
        true => Curve::Line { scale, shift },
        // Rows that are ordered the wrong way round say nothing of the scale; the rate is still theirs.
        false => Curve::Line { scale: 1.0, shift: fit.solve([1.0, 0.0], false)[1] },
    }
}

impl Fit<'_> {
    fn rows(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        let row = |row| {
            let label = f64::from(self.known.labels[row]);
            let target = self.targets[0] + label * (self.targets[1] - self.targets[0]);
            (f64::from(self.known.scores[row]), target, self.known.weight(row))
        };
        (0..self.known.rows()).map(row)
    }

    fn loss(&self, [scale, shift]: [f64; 2]) -> f64 {
        let of = |(z, t, w): (f64, f64, f64)| {
            let z = scale * z + shift;
            w * (z.max(0.0) - z * t + (-z.abs()).exp().ln_1p())
        };
        self.rows().map(of).sum()
    }

    fn solve(&self, mut at: [f64; 2], scales: bool) -> [f64; 2] {
        let mut loss = self.loss(at);
        for _ in 0..STEPS {
            let (mut gradient, mut curvature) = ([0.0; 2], [1e-9, 0.0, 1e-9]);
            for (z, t, w) in self.rows() {
                let p = 1.0 / (1.0 + (-(at[0] * z + at[1])).exp());
                let (slope, bend) = (w * (p - t), w * p * (1.0 - p));
                gradient = [gradient[0] + slope * z, gradient[1] + slope];
                curvature = [curvature[0] + bend * z * z, curvature[1] + bend * z, curvature[2] + bend];
            }
            let [aa, ab, bb] = curvature;
            let determinant = aa * bb - ab * ab;
            let step = match scales && determinant > 0.0 {
                true => [
                    (bb * gradient[0] - ab * gradient[1]) / determinant,
                    (aa * gradient[1] - ab * gradient[0]) / determinant,
                ],
                false => [0.0, gradient[1] / bb],
            };
            let tried = (0..40).map(|halvings| 0.5f64.powi(halvings)).find_map(|share| {
                let next = [at[0] - share * step[0], at[1] - share * step[1]];
                let found = self.loss(next);
                (found < loss).then_some((next, found))
            });
            let Some((next, found)) = tried else { break };
            let gained = loss - found;
            (at, loss) = (next, found);
            if gained < 1e-12 * loss.abs() {
                break;
            }
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels of the odds that a line makes of scores, in their exact shares, by weights.
    fn rows(scale: f64, shift: f64) -> Predictions {
        let mut known = Predictions::default();
        for step in -40..=40 {
            let z = f64::from(step) / 10.0;
            let p = 1.0 / (1.0 + (-(scale * z + shift)).exp());
            known.scores.extend([z as f32; 2]);
            known.labels.extend([1.0, 0.0]);
            known.weights.extend([1000.0 * p as f32, 1000.0 * (1.0 - p) as f32]);
        }
        known
    }

    #[test]
    fn a_line_is_found_again() {
        for (scale, shift) in [(2.0, -1.0), (0.3, 0.7), (1.0, -4.0)] {
            let Curve::Line { scale: a, shift: b } = fit(&rows(scale, shift), true) else { panic!("no line") };
            assert!((a - scale).abs() < 0.01 && (b - shift).abs() < 0.01, "{a} {b}");
        }
    }

    #[test]
    fn rows_that_are_told_apart_or_ordered_wrongly_have_a_finite_rising_fit() {
        let told = Predictions { scores: vec![-1.0, 1.0], labels: vec![0.0, 1.0], ..Default::default() };
        assert!(matches!(fit(&told, true), Curve::Line { scale, shift } if scale.is_finite() && shift.abs() < 1e-6));
        let wrong = fit(&rows(-1.0, 2.0), true);
        assert!(matches!(wrong, Curve::Line { scale: 1.0, shift } if shift > 0.5), "{wrong:?}");
    }
}
