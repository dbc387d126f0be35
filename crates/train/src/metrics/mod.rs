//! Metrics of predictions, exact and in f64. Undefined is undefined, with the reason, never a number.

mod auc;
mod calibration;
mod found;
mod ranking;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::TrainError;
use crate::measured::{Measured, Protocol};

pub use auc::{auc, gauc};
pub use calibration::{expected_calibration_error, log_loss, normalised_entropy, predicted_over_observed};
pub(crate) use found::{mean_of_ranks, ranks};
pub use ranking::{RankingKind, ranking};

/// Predictions with what they are compared to.
#[derive(Clone, Debug, Default)]
pub struct Predictions {
    /// Log-odds, or the number in regression.
    pub scores: Vec<f32>,
    /// Labels.
    pub labels: Vec<f32>,
    /// Sample weights; empty where all are 1.
    pub weights: Vec<f32>,
    /// Groups; empty where there is no group column.
    pub groups: Vec<u64>,
    /// Items by their place in the catalogue; empty without one.
    pub items: Vec<u32>,
}

impl Predictions {
    /// The weight of a row.
    pub fn weight(&self, row: usize) -> f64 {
        self.weights.get(row).map_or(1.0, |w| f64::from(*w))
    }

    /// The probability of a row, from its log-odds.
    pub fn probability(&self, row: usize) -> f64 {
        1.0 / (1.0 + (-f64::from(self.scores[row])).exp())
    }
}

/// Why metrics of scores that are no numbers are undefined.
pub(crate) const NOT_FINITE: &str = "the predictions are not finite numbers";

/// Values of metrics, or why there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(pub Vec<(String, Result<f64, String>)>);

impl Metrics {
    /// The value of a metric, if it is defined.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.as_ref().ok().copied())
    }

    /// Whether the scores were no numbers: the value that they had instead.
    pub(crate) fn not_finite(&self) -> Option<f64> {
        self.0.iter().any(|(_, v)| v.as_ref().is_err_and(|why| why == NOT_FINITE)).then_some(f64::NAN)
    }

    /// `{"auc": .78, "gauc": null}`
    pub fn values(&self) -> Value {
        let value = |v: &Result<f64, String>| v.as_ref().map_or(Value::Null, |v| Value::from(*v));
        Value::Object(self.0.iter().map(|(n, v)| (n.clone(), value(v))).collect::<Map<_, _>>())
    }

    /// `{"gauc": "no group has both classes"}`: why metrics are null.
    pub fn undefined(&self) -> Map<String, Value> {
        self.0.iter().filter_map(|(n, v)| Some((n.clone(), Value::from(v.as_ref().err()?.clone())))).collect()
    }
}

/// A metric that a config names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MetricName {
    /// Area under the ROC curve, ties averaged.
    Auc,
    /// AUC within groups, weighted by their rows.
    Gauc,
    /// Mean cross-entropy.
    LogLoss,
    /// Log-loss over the entropy of the base rate.
    Ne,
    /// Predicted over observed positives.
    Pcoc,
    /// Expected calibration error, 20 bins of equal width.
    Ece,
    /// Share of rows on the right side of ½.
    Accuracy,
    /// Mean squared error.
    Mse,
    /// Its root.
    Rmse,
    /// Mean absolute error.
    Mae,
    /// A ranking metric within groups.
    Ranking(RankingKind, usize),
}

impl MetricName {
    /// Reads a name: `auc`, `ndcg@10`.
    ///
    /// # Errors
    /// A name that is no metric.
    pub fn parse(key: &str, name: &str) -> Result<Self, TrainError> {
        let plain = match name {
            "auc" => Some(Self::Auc),
            "gauc" => Some(Self::Gauc),
            "logloss" => Some(Self::LogLoss),
            "ne" => Some(Self::Ne),
            "pcoc" => Some(Self::Pcoc),
            "ece" => Some(Self::Ece),
            "accuracy" => Some(Self::Accuracy),
            "mse" => Some(Self::Mse),
            "rmse" => Some(Self::Rmse),
            "mae" => Some(Self::Mae),
            "mrr" => Some(Self::Ranking(RankingKind::Mrr, usize::MAX)),
            _ => None,
        };
        let at = || {
            let (kind, k) = name.split_once('@')?;
            let kind = match kind {
                "ndcg" => RankingKind::Ndcg,
                "hr" => RankingKind::HitRate,
                "recall" => RankingKind::Recall,
                "mrr" => RankingKind::Mrr,
                _ => return None,
            };
            Some(Self::Ranking(kind, k.parse().ok().filter(|k| *k > 0)?))
        };
        plain.or_else(at).ok_or_else(|| TrainError::Setting {
            key: key.to_string(),
            problem: format!("`{name}` is no metric; there are auc, gauc, logloss, ne, pcoc, ece, accuracy, mse, rmse, mae, mrr, ndcg@K, hr@K, recall@K, mrr@K"),
        })
    }

    /// The metrics that suit what is measured.
    pub fn usual(measured: &Measured) -> Vec<Self> {
        let ranking = |k| [Self::Ranking(RankingKind::HitRate, k), Self::Ranking(RankingKind::Ndcg, k)];
        match (measured.protocol, measured.binary, measured.calibrated) {
            (Protocol::Retrieval, ..) => {
                let mut names = vec![Self::Ranking(RankingKind::Recall, 50)];
                names.extend(ranking(50));
                names
            }
            (Protocol::Lists, ..) => {
                let mut names = ranking(10).to_vec();
                names.push(Self::Ranking(RankingKind::Mrr, usize::MAX));
                names.extend(measured.binary.then_some(Self::Auc));
                names
            }
            (Protocol::Rows, true, true) => {
                let mut names = vec![Self::Auc, Self::LogLoss, Self::Ne, Self::Pcoc, Self::Ece, Self::Accuracy];
                if measured.grouped {
                    names.insert(1, Self::Gauc);
                }
                names
            }
            (Protocol::Rows, true, false) if measured.grouped => {
                vec![Self::Auc, Self::Gauc, Self::Ranking(RankingKind::Ndcg, 10)]
            }
            (Protocol::Rows, true, false) => vec![Self::Auc],
            (Protocol::Rows, false, false) => vec![Self::Ranking(RankingKind::Ndcg, 10)],
            (Protocol::Rows, false, true) => vec![Self::Mse, Self::Rmse, Self::Mae],
        }
    }

    /// The name in files.
    pub fn name(self) -> String {
        match self {
            Self::Auc => "auc".into(),
            Self::Gauc => "gauc".into(),
            Self::LogLoss => "logloss".into(),
            Self::Ne => "ne".into(),
            Self::Pcoc => "pcoc".into(),
            Self::Ece => "ece".into(),
            Self::Accuracy => "accuracy".into(),
            Self::Mse => "mse".into(),
            Self::Rmse => "rmse".into(),
            Self::Mae => "mae".into(),
            Self::Ranking(RankingKind::Mrr, usize::MAX) => "mrr".into(),
            Self::Ranking(kind, k) => format!("{}@{k}", kind.name()),
        }
    }

    /// Refuses a metric that the labels, the groups or the way of measuring do not allow.
    pub(crate) fn check(self, measured: &Measured) -> Result<(), TrainError> {
        let ranks = matches!(self, Self::Ranking(..));
        let odds = matches!(self, Self::LogLoss | Self::Ne | Self::Pcoc | Self::Ece | Self::Accuracy);
        let numbers = matches!(self, Self::Mse | Self::Rmse | Self::Mae);
        let classes = odds || matches!(self, Self::Auc | Self::Gauc);
        let grouped = ranks || self == Self::Gauc;
        let bad = |problem: &str| {
            Err(TrainError::Setting { key: "train.metrics".into(), problem: format!("{} {problem}", self.name()) })
        };
        match measured.protocol {
            Protocol::Retrieval if !ranks => {
                bad("is of rows, and this model looks for items; use recall@K, hr@K, ndcg@K or mrr")
            }
            _ if classes && !measured.binary => bad("needs labels of 0 and 1, but features.label.numeric is set"),
            _ if grouped && !measured.grouped => bad("needs groups; set features.group to the user's column"),
            _ if odds && !measured.calibrated => bad(
                "needs log-odds, which a loss that compares rows or items does not give; set train.pointwise, or use auc, gauc, ndcg@K",
            ),
            Protocol::Lists if odds => bad("depends on how many negatives are drawn; use hr@K, ndcg@K, mrr or auc"),
            _ if numbers && measured.loss.is_of_lists() => {
                bad("compares numbers, which a loss over lists does not give; use ndcg@K")
            }
            _ => Ok(()),
        }
    }

    /// Whether larger is better.
    pub fn larger_is_better(self) -> bool {
        matches!(self, Self::Auc | Self::Gauc | Self::Accuracy | Self::Ranking(..))
    }

    fn compute(self, p: &Predictions) -> Result<f64, String> {
        let value = self.value(p)?;
        match value.is_finite() {
            true => Ok(value),
            false => Err(NOT_FINITE.into()),
        }
    }

    fn value(self, p: &Predictions) -> Result<f64, String> {
        match self {
            Self::Auc => auc(p),
            Self::Gauc => gauc(p),
            Self::LogLoss => log_loss(p),
            Self::Ne => normalised_entropy(p),
            Self::Pcoc => predicted_over_observed(p),
            Self::Ece => expected_calibration_error(p, 20),
            Self::Accuracy => mean(p, |r| f64::from(u8::from((p.scores[r] > 0.0) == (p.labels[r] > 0.5)))),
            Self::Mse => mean(p, |r| f64::from(p.scores[r] - p.labels[r]).powi(2)),
            Self::Rmse => mean(p, |r| f64::from(p.scores[r] - p.labels[r]).powi(2)).map(f64::sqrt),
            Self::Mae => mean(p, |r| f64::from(p.scores[r] - p.labels[r]).abs()),
            Self::Ranking(kind, k) => ranking(p, kind, k),
        }
    }
}

/// Weighted mean of a value a row.
pub(crate) fn mean(p: &Predictions, value: impl Fn(usize) -> f64) -> Result<f64, String> {
    let (mut sum, mut total) = (0.0, 0.0);
    for row in 0..p.scores.len() {
        let w = p.weight(row);
        sum += w * value(row);
        total += w;
    }
    match total > 0.0 {
        true => Ok(sum / total),
        false => Err("no rows, or all weights are 0".into()),
    }
}

/// All named metrics of predictions; none of predictions that are no numbers.
pub fn compute(names: &[MetricName], predictions: &Predictions) -> Metrics {
    let finite = predictions.scores.iter().all(|s| s.is_finite());
    let value = |n: &MetricName| if finite { n.compute(predictions) } else { Err(NOT_FINITE.into()) };
    Metrics(names.iter().map(|n| (n.name(), value(n))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in [
            "auc",
            "gauc",
            "logloss",
            "ne",
            "pcoc",
            "ece",
            "accuracy",
            "mse",
            "rmse",
            "mae",
            "mrr",
            "ndcg@10",
            "hr@5",
            "recall@50",
            "mrr@3",
        ] {
            assert_eq!(MetricName::parse("k", name).unwrap().name(), name);
        }
        for name in ["aucc", "ndcg", "ndcg@0", "ndcg@x", "foo@3"] {
            assert!(MetricName::parse("k", name).is_err(), "{name}");
        }
    }
}
