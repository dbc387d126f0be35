//! The names of the losses in configs; what each is stands in `objective`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A loss of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// Binary cross-entropy from log-odds.
    Bce,
    /// Cross-entropy of the softmax over several classes.
    CrossEntropy,
    /// Squared error of the number itself.
    Mse,
    /// Squared error up to 1, the distance beyond: outliers pull less (Huber 1964).
    Huber,
    /// Labels are what a row is worth, such as the time watched, and 0 where it was not clicked: the odds become the
    /// expected worth (Covington et al., RecSys 2016).
    WeightedLogistic,
    /// Pairs of a better and a worse row of a list, `-ln σ(s_i - s_j)` (Rendle et al., UAI 2009).
    Bpr,
    /// All pairs of a list, equal ones half and half (Burges et al., ICML 2005).
    Ranknet,
    /// Pairs weighed by what their swap is worth in NDCG (Burges 2010).
    Lambdarank,
    /// Cross-entropy of the softmax of scores against that of labels (Cao et al., ICML 2007).
    Listnet,
    /// The same against the labels' shares of their sum.
    Softmax,
    /// Each positive row's item among those drawn for the batch, by how often they are drawn (ibid.).
    SampledSoftmax,
    /// Pairs of items against what is drawn beside them (Mikolov et al., 2013).
    NegativeSampling,
}
