//! Metrics of predictions, exact and in f64. Undefined is undefined, with the reason, never a number.

mod auc;
mod calibration;
mod classes;
mod found;
mod name;
mod predictions;
mod ranking;

pub(crate) use auc::RankedOrder;
pub use auc::{auc, gauc};
pub use calibration::{expected_calibration_error, log_loss, normalised_entropy, predicted_over_observed};
pub(crate) use classes::largest;
pub use classes::{class_accuracy, class_log_loss};
pub(crate) use found::{mean_of_ranks, ranks};
pub use name::{Measurable, MetricName, Protocol};
pub(crate) use predictions::NOT_FINITE;
pub use predictions::Predictions;
pub use ranking::{RankingKind, ranking};

use burnrec_record::Metrics;

/// All named metrics of predictions; none of predictions that are no numbers.
pub fn compute(names: &[MetricName], predictions: &Predictions) -> Metrics {
    let finite = predictions.scores.iter().all(|s| s.is_finite());
    let value = |n: &MetricName| if finite { n.compute(predictions) } else { Err(NOT_FINITE.into()) };
    Metrics(names.iter().map(|n| (n.name(), value(n))).collect())
}
