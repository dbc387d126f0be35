//! Calibration: a curve behind the model's log-odds, fitted on rows that it did not learn from. It leaves the weights, and the
//! order of rows, as they are.

mod isotonic;
mod platt;

use std::collections::BTreeMap;

use burnrec_features::Curve;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::Predictions;
use crate::objective::Link;
use crate::task::Task;

/// How a calibration is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Calibration {
    /// What is fitted, for tasks of 0 and 1.
    pub kind: CalibrationKind,
    /// Rows that the calibration of before counts as, beside those of the window: a window is often of few users, and says
    /// little of the next one. 0 forgets what was before.
    pub prior: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { kind: CalibrationKind::Platt, prior: 3000.0 }
    }
}

/// What is fitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationKind {
    /// A scale and a shift of the log-odds (Platt, 1999): two numbers, for windows of any size.
    #[default]
    Platt,
    /// Isotonic regression by pooling adjacent violators: any rising shape, for windows of thousands of rows.
    Isotonic,
}

/// Curves of the tasks of 0 and 1, fitted on predictions as the weights alone make them. A task whose rows are of one class keeps
/// the curve that it has, where nothing of before counts.
pub(crate) fn fit(
    calibration: Calibration,
    tasks: &[Task],
    known: &[Predictions],
    before: &BTreeMap<String, Curve>,
) -> BTreeMap<String, Curve> {
    let mut curves = before.clone();
    for (task, known) in tasks.iter().zip(known).filter(|(task, _)| task.objective.link() == Link::Sigmoid) {
        let known = with_prior(known, calibration.prior, before.get(&task.name));
        let of =
            |class: bool| (0..known.rows()).any(|row| (known.labels[row] > 0.5) == class && known.weight(row) > 0.0);
        if calibration.prior == 0.0 && !(of(true) && of(false)) {
            tracing::warn!("{}: the window has one class only; its calibration stays as it was", task.name);
            continue;
        }
        if !(0..known.rows()).any(|row| known.weight(row) > 0.0) {
            continue;
        }
        let curve = match calibration.kind {
            CalibrationKind::Platt => platt::fit(&known, calibration.prior == 0.0),
            CalibrationKind::Isotonic => isotonic::fit(&known),
        };
        curves.insert(task.name.clone(), curve);
    }
    curves
}

/// Rows as if as many more, at the same scores, had been there with the labels that the curve of before expects: labels become
/// shares.
fn with_prior(known: &Predictions, prior: f64, before: Option<&Curve>) -> Predictions {
    let total: f64 = (0..known.rows()).map(|row| known.weight(row)).sum();
    if prior == 0.0 || total <= 0.0 {
        return known.clone();
    }
    let (mut labels, mut weights) = (Vec::with_capacity(known.rows()), Vec::with_capacity(known.rows()));
    for row in 0..known.rows() {
        let (score, own) = (known.scores[row], known.weight(row));
        let odds = f64::from(before.map_or(score, |curve| curve.apply(score)));
        let (more, expected) = (own * prior / total, 1.0 / (1.0 + (-odds).exp()));
        weights.push((own + more) as f32);
        labels.push(
            ((own * f64::from(known.labels[row]) + more * expected) / (own + more).max(f64::MIN_POSITIVE)) as f32,
        );
    }
    Predictions { scores: known.scores.clone(), labels, weights, ..Predictions::default() }
}

/// Predictions as curves have them.
pub(crate) fn apply(tasks: &[Task], known: &mut [Predictions], curves: &BTreeMap<String, Curve>) {
    for (task, known) in tasks.iter().zip(known) {
        if let Some(curve) = curves.get(&task.name) {
            known.scores.iter_mut().for_each(|score| *score = curve.apply(*score));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_stays_is_not_moved_by_rounds() {
        // Two of a thousand are positive, window after window, in their exact shares.
        let scores: Vec<f32> = (0..100).map(|row| -6.2 + (row % 5) as f32 / 100.0).collect();
        let known = Predictions { labels: vec![0.002; 100], scores, ..Default::default() };
        for (kind, room) in [(CalibrationKind::Platt, 1e-4), (CalibrationKind::Isotonic, 4e-4)] {
            let mut curve = None;
            for _ in 0..300 {
                let mixed = with_prior(&known, 3000.0, curve.as_ref());
                curve = Some(match kind {
                    CalibrationKind::Platt => platt::fit(&mixed, false),
                    CalibrationKind::Isotonic => isotonic::fit(&mixed),
                });
            }
            let odds = f64::from(curve.unwrap().apply(-6.18));
            let rate = 1.0 / (1.0 + (-odds).exp());
            assert!((rate - 0.002).abs() < room, "{kind:?}: {rate}");
        }
    }

    #[test]
    fn small_windows_of_chance_do_not_bend_the_rate() {
        let mut draws = 0;
        let mut draw = || {
            draws += 1;
            burnrec_features::stream_seed(12, "chance", draws) as f64 / u64::MAX as f64
        };
        for kind in [CalibrationKind::Platt, CalibrationKind::Isotonic] {
            let (mut curve, mut predicted, mut happened) = (None::<Curve>, 0.0f64, 0.0f64);
            for window in 0..300 {
                let scores: Vec<f32> = (0..100).map(|_| (draw() * 41.0).floor() as f32 / 20.0 - 3.2).collect();
                let truth = |score: f32| 1.0 / (1.0 + (-f64::from(score)).exp());
                let labels: Vec<f32> = scores.iter().map(|s| if draw() < truth(*s) { 1.0 } else { 0.0 }).collect();
                if window >= 100 {
                    predicted += scores.iter().map(|s| truth(curve.as_ref().map_or(*s, |c| c.apply(*s)))).sum::<f64>();
                    happened += labels.iter().map(|y| f64::from(*y)).sum::<f64>();
                }
                let mixed = with_prior(&Predictions { scores, labels, ..Default::default() }, 3000.0, curve.as_ref());
                curve = Some(if kind == CalibrationKind::Platt {
                    platt::fit(&mixed, false)
                } else {
                    isotonic::fit(&mixed)
                });
            }
            assert!((predicted / happened - 1.0).abs() < 0.06, "{kind:?}: {}", predicted / happened);
        }
    }

    #[test]
    fn what_was_before_counts_as_so_many_rows() {
        let known = Predictions { scores: vec![0.0, 2.0], labels: vec![1.0, 0.0], ..Default::default() };
        let mixed = with_prior(&known, 6.0, Some(&Curve::Line { scale: 1.0, shift: 0.0 }));
        assert_eq!(mixed.weights, [4.0, 4.0]);
        let expected = 1.0 / (1.0 + (-2f64).exp());
        assert!((f64::from(mixed.labels[0]) - (1.0 + 3.0 * 0.5) / 4.0).abs() < 1e-6);
        assert!((f64::from(mixed.labels[1]) - 3.0 * expected / 4.0).abs() < 1e-6);
        assert_eq!(with_prior(&known, 0.0, None).labels, known.labels);
        // With as much before as one likes, nothing moves.
        let Curve::Line { scale, shift } = platt::fit(&with_prior(&known, 1e6, None), false) else { panic!("no line") };
        assert!((scale - 1.0).abs() < 1e-3 && shift.abs() < 1e-3, "{scale} {shift}");
    }
}
