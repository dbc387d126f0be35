//! The names of metrics, which of them suit a task, and their values.

use burnrec_models::TaskKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{TrainError, bad};
use crate::metrics::auc::{auc, gauc};
use crate::metrics::calibration::{expected_calibration_error, log_loss, normalised_entropy, predicted_over_observed};
use crate::metrics::classes::{class_accuracy, class_log_loss};
use crate::metrics::predictions::{NOT_FINITE, Predictions, mean};
use crate::metrics::ranking::{RankingKind, ranking};
use crate::objective::Link;

/// What a measurement looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Rows as they are.
    Rows,
    /// Every positive row among items that are drawn.
    Lists,
    /// For every user all items, but those that the user saw before.
    Retrieval,
}

/// What a task's rows allow to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Measurable {
    /// What is predicted.
    pub kind: TaskKind,
    /// What the scores mean.
    pub link: Link,
    /// Whether rows have groups to be ranked in.
    pub grouped: bool,
    /// What a measurement looks at.
    pub protocol: Protocol,
}

impl Measurable {
    fn is_number(&self) -> bool {
        matches!(self.kind, TaskKind::Regression | TaskKind::WatchTime)
    }

    /// The metrics that suit it.
    pub fn usual(&self) -> Vec<MetricName> {
        use MetricName::{Accuracy, Auc, Ece, Gauc, LogLoss, Mae, Mse, Ne, Pcoc, Ranking, Rmse};
        let ranking = |k| [Ranking(RankingKind::HitRate, k), Ranking(RankingKind::Ndcg, k)];
        let (binary, order) = (self.kind == TaskKind::Binary, self.link == Link::Order);
        match self.protocol {
            Protocol::Retrieval => {
                let mut names = vec![Ranking(RankingKind::Recall, 50)];
                names.extend(ranking(50));
                names
            }
            Protocol::Lists => {
                let mut names = ranking(10).to_vec();
                names.push(Ranking(RankingKind::Mrr, usize::MAX));
                names.extend(binary.then_some(Auc));
                names
            }
            Protocol::Rows if self.kind == TaskKind::MultiClass => vec![Accuracy, LogLoss],
            Protocol::Rows if binary && !order => {
                let mut names = vec![Auc, LogLoss, Ne, Pcoc, Ece, Accuracy];
                if self.grouped {
                    names.insert(1, Gauc);
                }
                names
            }
            Protocol::Rows if binary && self.grouped => vec![Auc, Gauc, Ranking(RankingKind::Ndcg, 10)],
            Protocol::Rows if binary => vec![Auc],
            Protocol::Rows if order => vec![Ranking(RankingKind::Ndcg, 10)],
            Protocol::Rows => vec![Mse, Rmse, Mae],
        }
    }

    /// The one that usually decides which epoch is best.
    pub fn monitor(&self) -> MetricName {
        match self.protocol {
            Protocol::Retrieval => MetricName::Ranking(RankingKind::Recall, 50),
            Protocol::Lists => MetricName::Ranking(RankingKind::Ndcg, 10),
            Protocol::Rows if self.kind == TaskKind::MultiClass => MetricName::LogLoss,
            Protocol::Rows if self.kind == TaskKind::Binary => MetricName::Auc,
            Protocol::Rows if self.link == Link::Order => MetricName::Ranking(RankingKind::Ndcg, 10),
            Protocol::Rows => MetricName::Mse,
        }
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
    /// Whether it is of rows within groups.
    pub fn needs_groups(&self) -> bool {
        matches!(self, Self::Gauc | Self::Ranking(..))
    }

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

    /// Whether labels count as grades.
    pub(crate) fn is_graded(&self) -> bool {
        matches!(self, Self::Ranking(RankingKind::Ndcg, _))
    }

    /// Refuses a metric that the labels, the groups or the way of measuring do not allow.
    pub(crate) fn check(self, key: &str, of: &Measurable) -> Result<(), TrainError> {
        let ranks = matches!(self, Self::Ranking(..));
        let odds = matches!(self, Self::LogLoss | Self::Ne | Self::Pcoc | Self::Ece | Self::Accuracy);
        let numbers = matches!(self, Self::Mse | Self::Rmse | Self::Mae);
        let classes = odds || matches!(self, Self::Auc | Self::Gauc);
        let grouped = ranks || self == Self::Gauc;
        let refused = |problem: &str| Err(bad(key, format!("{} {problem}", self.name())));
        match of.protocol {
            _ if of.kind == TaskKind::MultiClass && !matches!(self, Self::LogLoss | Self::Accuracy) => {
                refused("is not of several classes; use logloss or accuracy")
            }
            Protocol::Retrieval if !ranks => {
                refused("is of rows, and this model looks for items; use recall@K, hr@K, ndcg@K or mrr")
            }
            _ if classes && of.is_number() => refused("needs labels of 0 and 1, and the label is a number"),
            _ if grouped && !of.grouped => refused("needs groups; set features.group to the user's column"),
            _ if odds && of.link == Link::Order => refused(
                "needs log-odds, which a loss that compares rows or items does not give; set pointwise, or use auc, gauc, ndcg@K",
            ),
            Protocol::Lists if odds => refused("depends on how many negatives are drawn; use hr@K, ndcg@K, mrr or auc"),
            _ if numbers && of.is_number() && of.link == Link::Order => {
                refused("compares numbers, which a loss over lists does not give; use ndcg@K")
            }
            _ if ranks && of.kind == TaskKind::MultiClass => refused("ranks, which several classes do not"),
            _ => Ok(()),
        }
    }

    /// Whether larger is better.
    pub fn larger_is_better(self) -> bool {
        matches!(self, Self::Auc | Self::Gauc | Self::Accuracy | Self::Ranking(..))
    }

    /// For a metric that is a mean over groups: each group that it is defined for, what it weighs in the mean, and its value.
    pub(crate) fn by_group(self, p: &Predictions) -> Option<Vec<(u64, f64, f64)>> {
        if !self.needs_groups() || p.groups.is_empty() {
            return None;
        }
        let of = |(group, own): (u64, Predictions)| {
            let weight = if self == Self::Gauc { own.rows() as f64 } else { 1.0 };
            Some((group, weight, self.value(&own).ok()?))
        };
        Some(p.by_group().into_iter().filter_map(of).collect())
    }

    pub(crate) fn compute(self, p: &Predictions) -> Result<f64, String> {
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
            Self::LogLoss if p.scores.len() > p.rows() => class_log_loss(p),
            Self::Accuracy if p.scores.len() > p.rows() => class_accuracy(p),
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
