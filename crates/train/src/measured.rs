//! What a model learns from and how it is measured, as its configuration has it.

use burnrec_features::Schema;

use crate::config::LossKind;
use crate::experiment::Experiment;

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

/// What settings of training depend on.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Whether labels are 0 and 1.
    pub binary: bool,
    /// Whether rows have groups to be ranked in.
    pub grouped: bool,
    /// Whether training rows form lists.
    pub listed: bool,
    /// Whether training rows are weighted.
    pub weighted: bool,
    /// Whether a batch shares what is drawn for it.
    pub shares: bool,
    /// Whether the batch's own items are what is drawn.
    pub in_batch: bool,
    /// Whether pairs are learned, and not rows.
    pub pairs: bool,
    /// The loss.
    pub loss: LossKind,
    /// Whether scores are log-odds, or numbers of the label's kind.
    pub calibrated: bool,
    /// What a measurement looks at.
    pub protocol: Protocol,
}

impl Measured {
    /// Of an experiment over its schema.
    pub fn new(experiment: &Experiment, schema: &Schema) -> Self {
        let items = schema.items.as_ref();
        let pairs = items.is_some_and(|i| i.pairs.is_some());
        let shares = !pairs && items.is_some_and(|i| i.draws_beside().is_some());
        let binary = schema.label.is_binary();
        let loss = experiment.train.loss.unwrap_or(match () {
            () if pairs => LossKind::NegativeSampling,
            () if shares => LossKind::SampledSoftmax,
            () if binary => LossKind::Bce,
            () => LossKind::Mse,
        });
        let evaluates = items.and_then(|i| i.negatives.as_ref()).is_some_and(|n| n.evaluate > 0);
        let protocol = match () {
            () if evaluates => Protocol::Lists,
            () if experiment.model.retrieves() => Protocol::Retrieval,
            () => Protocol::Rows,
        };
        let uncalibrated = loss.is_of_lists() && experiment.train.pointwise == 0.0;
        Self {
            binary,
            grouped: schema.group.is_some() || protocol != Protocol::Rows,
            listed: schema.group.is_some() || items.is_some_and(|i| i.adds_rows().is_some()),
            weighted: schema.weight.is_some(),
            shares,
            in_batch: shares && items.is_some_and(burnrec_features::Items::takes_the_batch),
            pairs,
            loss,
            calibrated: !(uncalibrated || shares || pairs),
            protocol,
        }
    }

    /// The usual metric that decides which epoch is best.
    pub fn monitor(&self) -> &'static str {
        match (self.protocol, self.binary) {
            (Protocol::Retrieval, _) => "recall@50",
            (Protocol::Lists, _) => "ndcg@10",
            (Protocol::Rows, true) => "auc",
            (Protocol::Rows, false) if self.loss.is_of_lists() => "ndcg@10",
            (Protocol::Rows, false) => "mse",
        }
    }
}
