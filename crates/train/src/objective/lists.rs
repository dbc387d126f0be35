//! Losses over the lists of a batch: rows next to each other of one group.
//!
//! Every list counts alike, however many pairs it has; lists in which nothing is better than anything are left out, and so
//! are rows whose label is not known.

use burn::tensor::{Device, Tensor};
use burnrec_backend::{Segments, segment_softmax, total};
use burnrec_features::Batch;

use crate::objective::pairs::{HostPairs, Pairs, Rule};
use crate::objective::span::{Span, spans};

/// Taken off the score of a row that is not there.
const ABSENT: f32 = -1e9;

/// The lists of a batch, made on the loader's thread.
#[derive(Clone, Debug)]
pub struct HostLists {
    /// Where each list starts, and the end.
    offsets: Vec<u32>,
    /// `[B]`: 0, or [`ABSENT`] where the label is not known; none where all are.
    absent: Option<Vec<f32>>,
    of: Option<HostOf>,
}

#[derive(Clone, Debug)]
enum HostOf {
    Pairs(HostPairs),
    /// What each row's share of its list should be, over the number of lists, and 1 over that number for rows of lists that
    /// count, 0 for others.
    Shares(Vec<f32>, Vec<f32>),
}

impl HostLists {
    fn new(batch: &Batch, task: usize, spans: &[Span], of: Option<HostOf>) -> Self {
        let offsets = std::iter::once(0).chain(spans.iter().map(|s| (s.start + s.length) as u32)).collect();
        let absent = |row: usize| if batch.targets.is_known(row, task) { 0.0 } else { ABSENT };
        let absent = batch.targets.known.as_ref().map(|_| (0..batch.rows).map(absent).collect());
        Self { offsets, absent, of }
    }

    /// Lists whose pairs are compared.
    pub(super) fn pairs(rule: Rule, batch: &Batch, task: usize) -> Self {
        let spans = spans(batch, task);
        let pairs = HostPairs::new(rule, &spans);
        Self::new(batch, task, &spans, pairs.map(HostOf::Pairs))
    }

    /// Lists over which a softmax goes. `parts` are what the rows of a list weigh among them; `teaches` says whether a
    /// list of labels does.
    pub(super) fn shares(
        batch: &Batch,
        task: usize,
        parts: &dyn Fn(&[f32]) -> Vec<f64>,
        teaches: &dyn Fn(&[f32]) -> bool,
    ) -> Self {
        let spans = spans(batch, task);
        let counts: Vec<bool> = spans.iter().map(|s| !s.known.is_empty() && teaches(&s.labels())).collect();
        let count = counts.iter().filter(|c| **c).count();
        if count == 0 {
            return Self::new(batch, task, &spans, None);
        }
        let (mut shares, mut of_list) = (vec![0.0; batch.rows], vec![0.0; batch.rows]);
        for span in spans.iter().zip(&counts).filter(|(_, counts)| **counts).map(|(s, _)| s) {
            let parts = parts(&span.labels());
            let sum: f64 = parts.iter().sum::<f64>().max(f64::MIN_POSITIVE);
            for ((place, _), part) in span.known.iter().zip(parts) {
                shares[span.start + place] = (part / sum / count as f64) as f32;
            }
            of_list[span.start..span.start + span.length].fill((1.0 / count as f64) as f32);
        }
        Self::new(batch, task, &spans, Some(HostOf::Shares(shares, of_list)))
    }

    /// Whether some list has a better and a worse row.
    pub(super) fn teaches(&self) -> bool {
        self.of.is_some()
    }

    pub(super) fn upload(&self, device: &Device) -> Lists {
        let column = |values: &[f32]| super::column(values, device);
        let absent = self.absent.as_deref().map(column);
        Lists {
            lists: Segments::new(&self.offsets, device),
            absent,
            of: self.of.as_ref().map(|of| match of {
                HostOf::Pairs(pairs) => Of::Pairs(pairs.upload(device)),
                HostOf::Shares(shares, counts) => Of::Shares(column(shares), column(counts)),
            }),
        }
    }
}

/// The lists of a batch, on the device that computes.
#[derive(Clone, Debug)]
pub struct Lists {
    lists: Segments,
    absent: Option<Tensor<2>>,
    of: Option<Of>,
}

#[expect(clippy::large_enum_variant, reason = "one a batch")]
#[derive(Clone, Debug)]
enum Of {
    Pairs(Pairs),
    Shares(Tensor<2>, Tensor<2>),
}

impl Lists {
    /// The loss `[1]` of scores `[B, 1]`; 0 where no list teaches anything.
    pub(super) fn loss_of(lists: Option<&Self>, scores: Tensor<2>) -> Tensor<1> {
        match lists {
            Some(lists) => lists.loss(scores),
            None => (scores * 0.0).sum(),
        }
    }

    fn loss(&self, scores: Tensor<2>) -> Tensor<1> {
        let scores = match &self.absent {
            Some(absent) => scores + absent.clone(),
            None => scores,
        };
        match &self.of {
            Some(Of::Pairs(pairs)) => pairs.loss(scores),
            Some(Of::Shares(shares, counts)) => {
                // Σ p·(s - ln p) over a list is ln Σ exp(s), with the gradient p, if p is held fixed.
                let p = segment_softmax(scores.clone().detach(), &self.lists); // [B, 1]
                let surprise = p.clone().clamp_min(1e-38).log();
                let normaliser = p * (scores.clone() - surprise) * counts.clone();
                total(normaliser - scores * shares.clone())
            }
            None => (scores * 0.0).sum(),
        }
    }
}
