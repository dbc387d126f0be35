//! Objectives: what a batch's logits should have been.

mod lists;
mod pointwise;
mod sampled;

use burn::tensor::Tensor;
use burnrec_features::Batch;
use burnrec_models::Output;

use crate::config::LossKind;
pub(crate) use lists::Lists;
use pointwise::loss;
pub(crate) use sampled::Beside;

/// What an objective needs besides logits and labels, of one batch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aim {
    /// The lists that the rows form.
    pub(crate) lists: Option<Lists>,
    /// What was drawn for the batch.
    pub(crate) beside: Option<Beside>,
}

impl Aim {
    /// Whether there is anything to learn: not where no list of the batch has a better and a worse row.
    pub(crate) fn teaches(&self) -> bool {
        self.lists.as_ref().is_none_or(Lists::teaches)
    }

    /// What a loss needs of a batch, on a device.
    pub(crate) fn new(kind: LossKind, batch: &Batch, device: &burn::tensor::Device) -> Self {
        Self {
            lists: kind.is_of_lists().then(|| Lists::new(kind, batch, device)),
            beside: batch.drawn.as_ref().map(|drawn| Beside::new(drawn, batch.rows, device)),
        }
    }
}

/// The objective of a batch, `[1]`.
///
/// # Shapes
/// - logits, labels, weights: `[B, 1]`
pub(crate) fn objective(
    kind: LossKind,
    output: &Output,
    labels: Tensor<2>,
    weights: Option<Tensor<2>>,
    aim: &Aim,
    share: f64,
) -> Tensor<1> {
    let logits = output.logits.clone();
    let main = match (kind, &aim.lists, &aim.beside, &output.sampled) {
        (LossKind::SampledSoftmax, _, Some(beside), Some(sampled)) => {
            beside.softmax(logits.clone(), sampled.clone(), labels.clone(), weights.clone())
        }
        (LossKind::NegativeSampling, _, _, Some(sampled)) => {
            sampled::negative_sampling(logits.clone(), sampled.clone())
        }
        (_, Some(lists), ..) => lists.loss(kind, logits.clone()),
        _ => loss(kind, logits.clone(), labels.clone(), weights.clone()),
    };
    match share > 0.0 {
        true => main + loss(LossKind::Bce, logits, labels, weights) * share,
        false => main,
    }
}
