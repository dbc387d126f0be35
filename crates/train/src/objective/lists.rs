//! Pairwise and listwise losses over the lists of a batch: rows next to each other of one group.
//!
//! Every list counts alike, however many pairs it has; lists in which nothing is better than anything are left out.

use burn::tensor::activation::softplus;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burnrec_backend::{Segments, segment_softmax, segment_sum, spread, traffic};
use burnrec_features::Batch;

use crate::config::LossKind;

/// The lists of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    /// The rows of each list.
    lists: Segments,
    pairs: Option<Pairs>,
    /// Listwise: what each row's share of its list should be, over the number of lists `[B, 1]`.
    shares: Option<Tensor<2>>,
    /// Listwise: 1 over the number of lists for rows of lists that count, 0 for others `[B, 1]`.
    counts: Option<Tensor<2>>,
}

/// Every row of a list beside every row of it, the first in the order of rows: `P` positions.
#[derive(Clone, Debug)]
struct Pairs {
    /// Positions of each first row.
    first: Segments,
    /// The second row `[P]`.
    second: Tensor<1, Int>,
    /// Whether the first should stand before the second: 1, 0, or ½ `[P, 1]`.
    target: Tensor<2>,
    /// What the pair weighs `[P, 1]`.
    weight: Tensor<2>,
}

/// Gain of a label.
fn gain(label: f32) -> f64 {
    f64::from(label).exp2() - 1.0
}

/// The largest DCG that labels allow.
fn ideal(labels: &[f32]) -> f64 {
    let mut sorted: Vec<f32> = labels.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted.iter().enumerate().map(|(at, y)| gain(*y) / ((at + 2) as f64).log2()).sum()
}

impl Lists {
    /// The lists of a batch for a loss.
    pub(crate) fn new(kind: LossKind, batch: &Batch, device: &Device) -> Self {
        let lengths: Vec<usize> = batch.group.chunk_by(|a, b| a == b).map(<[u64]>::len).collect();
        let mut at = 0;
        let spans: Vec<&[f32]> = lengths
            .iter()
            .map(|n| {
                at += n;
                &batch.label[at - n..at]
            })
            .collect();
        let offsets = offsets(&lengths);
        let teaches = |labels: &&[f32]| match kind {
            LossKind::Softmax => labels.iter().any(|y| *y > 0.0) && labels.len() > 1,
            _ => labels.iter().any(|y| *y != labels[0]),
        };
        let count = spans.iter().filter(|l| teaches(l)).count();
        let mut lists = Self { lists: Segments::new(&offsets, device), pairs: None, shares: None, counts: None };
        if count == 0 {
            return lists;
        }
        match kind {
            LossKind::Listnet | LossKind::Softmax => {
                let share = 1.0 / count as f64;
                let of = |labels: &&[f32]| if teaches(labels) { share } else { 0.0 };
                let wanted = spans
                    .iter()
                    .flat_map(|l| shares(kind, l).into_iter().map(|p| (p * of(l)) as f32).collect::<Vec<_>>());
                lists.shares = Some(column(wanted.collect(), device));
                let counts = spans.iter().flat_map(|l| vec![of(l) as f32; l.len()]);
                lists.counts = Some(column(counts.collect(), device));
            }
            _ => lists.pairs = Some(Pairs::new(kind, &spans, &offsets, count, &teaches, device)),
        }
        lists
    }

    /// Whether some list has a better and a worse row.
    pub(crate) fn teaches(&self) -> bool {
        self.pairs.is_some() || self.shares.is_some()
    }

    /// The loss `[1]`.
    pub(crate) fn loss(&self, kind: LossKind, scores: Tensor<2>) -> Tensor<1> {
        match (&self.pairs, &self.shares, &self.counts) {
            (Some(pairs), ..) => pairs.loss(kind, scores),
            (_, Some(shares), Some(counts)) => {
                // Σ p·(s - ln p) over a list is ln Σ exp(s), with the gradient p, if p is held fixed.
                let p = segment_softmax(scores.clone().detach(), &self.lists); // [B, 1]
                let surprise = p.clone().clamp_min(1e-38).log();
                let normaliser = p * (scores.clone() - surprise) * counts.clone();
                (normaliser - scores * shares.clone()).sum()
            }
            _ => (scores * 0.0).sum(),
        }
    }
}

/// What share of its list each row should have: the softmax of the labels (Cao et al. 2007), or their part of the sum.
fn shares(kind: LossKind, labels: &[f32]) -> Vec<f64> {
    let parts: Vec<f64> = match kind {
        LossKind::Listnet => {
            let most = labels.iter().copied().fold(f32::MIN, f32::max);
            labels.iter().map(|y| f64::from(y - most).exp()).collect()
        }
        _ => labels.iter().map(|y| f64::from(y.max(0.0))).collect(),
    };
    let sum: f64 = parts.iter().sum();
    parts.into_iter().map(|p| p / sum.max(f64::MIN_POSITIVE)).collect()
}

impl Pairs {
    fn new(
        kind: LossKind,
        spans: &[&[f32]],
        starts: &[u32],
        count: usize,
        teaches: &dyn Fn(&&[f32]) -> bool,
        device: &Device,
    ) -> Self {
        let (mut lengths, mut second, mut target, mut weight) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (labels, start) in spans.iter().zip(starts) {
            let n = labels.len();
            if !teaches(labels) {
                lengths.resize(lengths.len() + n, 0);
                continue;
            }
            let counted = |a: f32, b: f32| a != b || kind == LossKind::Ranknet;
            let pairs = labels.iter().flat_map(|a| labels.iter().map(move |b| (*a, *b)));
            let number = pairs.filter(|(a, b)| counted(*a, *b)).count() - if kind == LossKind::Ranknet { n } else { 0 };
            let ideal = ideal(labels);
            for (i, a) in labels.iter().enumerate() {
                lengths.push(n);
                for (j, b) in labels.iter().enumerate() {
                    second.push((*start as usize + j) as i32);
                    target.push(if a > b {
                        1.0
                    } else if a < b {
                        0.0
                    } else {
                        0.5
                    });
                    weight.push(match kind {
                        _ if i == j || !counted(*a, *b) => 0.0,
                        LossKind::Lambdarank => (gain(*a) - gain(*b)).abs() / ideal / count as f64,
                        // Each pair stands here twice.
                        _ => 2.0 / number as f64 / count as f64,
                    } as f32);
                }
            }
        }
        let positions = second.len();
        traffic::up_to(device, positions * 4);
        Self {
            first: Segments::new(&offsets(&lengths), device),
            second: Tensor::from_data(TensorData::new(second, [positions]), device),
            target: column(target, device),
            weight: column(weight, device),
        }
    }

    /// Each pair stands here from both sides; held fixed on the second, both together have the pair's gradient.
    fn loss(&self, kind: LossKind, scores: Tensor<2>) -> Tensor<1> {
        let fixed = scores.clone().detach(); // [B, 1]
        let second = select(&fixed, &self.second); // [P, 1]
        let d = spread(scores, &self.first) - second.clone(); // [P, 1]
        let mut weight = self.weight.clone();
        if kind == LossKind::Lambdarank {
            weight = weight * self.discounts(fixed, second);
        }
        let each = softplus(d.clone(), 1.0) - d * self.target.clone();
        let both = (each * weight).sum();
        both.clone() - both.detach() * 0.5
    }

    /// How far apart the two places of a pair are worth, by today's scores `[P, 1]`.
    fn discounts(&self, fixed: Tensor<2>, second: Tensor<2>) -> Tensor<2> {
        let own = spread(fixed, &self.first); // [P, 1]
        let before = second.clone().greater(own.clone()).float();
        let beside = second.equal(own).float() * 0.5;
        // A row stands beside itself: half a place that the other half is added for.
        let rank = segment_sum(before + beside, &self.first) + 0.5; // [B, 1]
        let discount = ((rank + 1.0).log() / 2f64.ln()).recip(); // [B, 1]
        (spread(discount.clone(), &self.first) - select(&discount, &self.second)).abs()
    }
}

fn select(x: &Tensor<2>, rows: &Tensor<1, Int>) -> Tensor<2> {
    x.clone().select(0, rows.clone())
}

fn offsets(lengths: &[usize]) -> Vec<u32> {
    let mut end = 0;
    let ends = lengths.iter().map(|n| {
        end += *n as u32;
        end
    });
    std::iter::once(0).chain(ends).collect()
}

fn column(values: Vec<f32>, device: &Device) -> Tensor<2> {
    let length = values.len();
    traffic::up_to(device, length * 4);
    Tensor::from_data(TensorData::new(values, [length, 1]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(kind: LossKind, labels: &[f32], groups: &[u64], device: &Device) -> Lists {
        let batch = Batch { rows: labels.len(), label: labels.to_vec(), group: groups.to_vec(), ..Batch::default() };
        Lists::new(kind, &batch, device)
    }

    /// Value and gradient of a loss at scores.
    fn at(kind: LossKind, scores: &[f32], labels: &[f32], groups: &[u64]) -> (f32, Vec<f32>) {
        let device = Device::flex().autodiff();
        let s = Tensor::<1>::from_floats(scores, &device).unsqueeze_dim::<2>(1).require_grad();
        let value = lists(kind, labels, groups, &device).loss(kind, s.clone());
        let gradients = value.backward();
        let gradient = s.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
        (value.into_scalar(), gradient)
    }

    fn close(a: &[f32], b: &[f32]) {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5) && a.len() == b.len(), "{a:?} {b:?}");
    }

    const PAIRWISE: [LossKind; 3] = [LossKind::Bpr, LossKind::Ranknet, LossKind::Lambdarank];

    #[test]
    fn bpr_is_ln_2_where_scores_are_equal_and_its_gradient_is_one_minus_sigma() {
        let (value, gradient) = at(LossKind::Bpr, &[0.0, 0.0], &[1.0, 0.0], &[1, 1]);
        close(&[value], &[2f32.ln()]);
        close(&gradient, &[-0.5, 0.5]);
        let (value, gradient) = at(LossKind::Bpr, &[2.0, 0.5], &[1.0, 0.0], &[1, 1]);
        let sigma = 1.0 / (1.0 + (-1.5f32).exp());
        close(&[value], &[-sigma.ln()]);
        close(&gradient, &[sigma - 1.0, 1.0 - sigma]);
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let (scores, labels, groups) =
            ([0.3, -0.2, 1.1, 0.4, 0.9, 0.1f32], [1.0, 0.0, 2.0, 0.0, 1.0, 0.0], [1, 1, 1, 1, 2, 2]);
        for kind in [LossKind::Bpr, LossKind::Ranknet, LossKind::Listnet, LossKind::Softmax] {
            let (_, gradient) = at(kind, &scores, &labels, &groups);
            for i in 0..6 {
                let moved = |by: f32| {
                    let mut scores = scores;
                    scores[i] += by;
                    f64::from(at(kind, &scores, &labels, &groups).0)
                };
                let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
                assert!((slope - f64::from(gradient[i])).abs() < 2e-4, "{kind:?} {i}: {slope} {}", gradient[i]);
            }
        }
    }

    #[test]
    fn a_constant_on_a_list_changes_nothing_and_lists_without_contrast_do_not_count() {
        let groups = [1, 1, 1, 2, 2, 3, 3];
        let labels = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
        for kind in PAIRWISE.into_iter().chain([LossKind::Listnet, LossKind::Softmax]) {
            let (value, _) = at(kind, &[0.1, 0.7, -0.3, 0.2, 0.6, 9.0, -9.0], &labels, &groups);
            let (moved, gradient) = at(kind, &[5.1, 5.7, 4.7, 0.2, 0.6, -7.0, 3.0], &labels, &groups);
            assert!((value - moved).abs() < 1e-5, "{kind:?} {value} {moved}");
            assert_eq!(&gradient[5..], [0.0, 0.0], "{kind:?}");
        }
    }

    #[test]
    fn listnet_is_least_at_the_labels_where_it_is_their_entropy() {
        let labels = [2.0, 0.0, 1.0];
        let sum: f32 = labels.iter().map(|y: &f32| y.exp()).sum();
        let entropy: f32 = labels.iter().map(|y| -(y.exp() / sum) * (y.exp() / sum).ln()).sum();
        let (value, gradient) = at(LossKind::Listnet, &[7.0, 5.0, 6.0], &labels, &[1, 1, 1]);
        close(&[value], &[entropy]);
        close(&gradient, &[0.0; 3]);
    }

    #[test]
    fn one_click_a_list_makes_softmax_cross_entropy() {
        let scores = [0.5f32, 2.0, -1.0];
        let (value, gradient) = at(LossKind::Softmax, &scores, &[0.0, 1.0, 0.0], &[1, 1, 1]);
        let sum: f32 = scores.iter().map(|s| s.exp()).sum();
        close(&[value], &[sum.ln() - 2.0]);
        close(&gradient, &[scores[0].exp() / sum, scores[1].exp() / sum - 1.0, scores[2].exp() / sum]);
    }

    #[test]
    fn lambdarank_weighs_a_pair_by_what_its_swap_is_worth() {
        // The relevant row stands third of three: swapping it with the first gains 1 - 1/2, with the second 1/log2(3) - 1/2.
        let (_, gradient) = at(LossKind::Lambdarank, &[0.0, -1.0, -2.0], &[0.0, 0.0, 1.0], &[1, 1, 1]);
        let sigma = |x: f32| 1.0 / (1.0 + (-x).exp());
        let (first, second) = (0.5 * sigma(2.0), (1.0 / 3f32.log2() - 0.5) * sigma(1.0));
        close(&gradient, &[first, second, -first - second]);
    }
}
