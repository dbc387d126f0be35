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
/// the curve that it has.
pub(crate) fn fit(
    kind: CalibrationKind,
    tasks: &[Task],
    known: &[Predictions],
    before: &BTreeMap<String, Curve>,
) -> BTreeMap<String, Curve> {
    let mut curves = before.clone();
    for (task, known) in tasks.iter().zip(known).filter(|(task, _)| task.objective.link() == Link::Sigmoid) {
        let positive = |row: &usize| known.labels[*row] > 0.5 && known.weight(*row) > 0.0;
        let negative = |row: &usize| known.labels[*row] <= 0.5 && known.weight(*row) > 0.0;
        if !(0..known.rows()).any(|row| positive(&row)) || !(0..known.rows()).any(|row| negative(&row)) {
            tracing::warn!("{}: the window has one class only; its calibration stays as it was", task.name);
            continue;
        }
        let curve = match kind {
            CalibrationKind::Platt => platt::fit(known),
            CalibrationKind::Isotonic => isotonic::fit(known),
        };
        curves.insert(task.name.clone(), curve);
    }
    curves
}

/// Predictions as curves have them.
pub(crate) fn apply(tasks: &[Task], known: &mut [Predictions], curves: &BTreeMap<String, Curve>) {
    for (task, known) in tasks.iter().zip(known) {
        if let Some(curve) = curves.get(&task.name) {
            known.scores.iter_mut().for_each(|score| *score = curve.apply(*score));
        }
    }
}
