//! Pairs of the rows of a list, a better and a worse one.

use burn::tensor::activation::softplus;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burnrec_backend::{Segments, segment_sum, spread, total, traffic};

use crate::objective::span::Span;

/// Which pairs count, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Those of unlike labels, all alike.
    Unequal,
    /// All, those of equal labels half and half.
    All,
    /// Those of unlike labels, by what their swap is worth in NDCG.
    Gain,
}

/// Every row of a list beside every row of it, the first in the order of rows: P positions.
#[derive(Clone, Debug)]
pub(super) struct HostPairs {
    rule: Rule,
    /// Where the positions of each first row start, and the end.
    offsets: Vec<u32>,
    /// The second row `[P]`.
    second: Vec<i32>,
    /// Whether the first should stand before the second: 1, 0, or ½ `[P]`.
    target: Vec<f32>,
    /// What the pair weighs `[P]`.
    weight: Vec<f32>,
}

/// The same on the device that computes.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    rule: Rule,
    first: Segments,
    second: Tensor<1, Int>,
    target: Tensor<2>,
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

impl HostPairs {
    /// The pairs of lists; none where no list has a better and a worse row.
    pub(super) fn new(rule: Rule, spans: &[Span]) -> Option<Self> {
        let teaches = |span: &Span| span.known.iter().any(|(_, y)| *y != span.known[0].1);
        let count = spans.iter().filter(|s| teaches(s)).count();
        if count == 0 {
            return None;
        }
        let mut pairs = Self { rule, offsets: vec![0], second: vec![], target: vec![], weight: vec![] };
        for span in spans {
            match teaches(span) {
                true => pairs.add(span, count as f64),
                false => pairs.offsets.resize(pairs.offsets.len() + span.length, pairs.second.len() as u32),
            }
        }
        Some(pairs)
    }

    fn add(&mut self, span: &Span, lists: f64) {
        let labels = span.labels();
        let counted = |a: f32, b: f32| a != b || self.rule == Rule::All;
        let all =
            labels.iter().enumerate().flat_map(|(i, a)| labels.iter().enumerate().map(move |(j, b)| (i != j, *a, *b)));
        let number = all.filter(|(apart, a, b)| *apart && counted(*a, *b)).count() as f64;
        let ideal = ideal(&labels);
        let mut known = span.known.iter().peekable();
        for place in 0..span.length {
            if let Some((_, a)) = known.next_if(|(at, _)| *at == place) {
                for (at, b) in &span.known {
                    self.second.push((span.start + at) as i32);
                    self.target.push(0.5 + 0.5 * (f32::from(u8::from(a > b)) - f32::from(u8::from(a < b))));
                    let weight = match self.rule {
                        _ if *at == place || !(a != b || self.rule == Rule::All) => 0.0,
                        Rule::Gain => (gain(*a) - gain(*b)).abs() / ideal / lists,
                        // Each pair stands here twice.
                        _ => 2.0 / number / lists,
                    };
                    self.weight.push(weight as f32);
                }
            }
            self.offsets.push(self.second.len() as u32);
        }
    }

    pub(super) fn upload(&self, device: &Device) -> Pairs {
        let positions = self.second.len();
        traffic::up_to(device, positions * 4);
        Pairs {
            rule: self.rule,
            first: Segments::new(&self.offsets, device),
            second: Tensor::from_data(TensorData::new(self.second.clone(), [positions]), device),
            target: super::column(&self.target, device),
            weight: super::column(&self.weight, device),
        }
    }
}

impl Pairs {
    /// Each pair stands here from both sides; held fixed on the second, both together have the pair's gradient.
    pub(super) fn loss(&self, scores: Tensor<2>) -> Tensor<1> {
        let fixed = scores.clone().detach(); // [B, 1]
        let second = select(&fixed, &self.second); // [P, 1]
        let d = spread(scores, &self.first) - second.clone(); // [P, 1]
        let mut weight = self.weight.clone();
        if self.rule == Rule::Gain {
            weight = weight * self.discounts(fixed, second);
        }
        let each = softplus(d.clone(), 1.0) - d * self.target.clone();
        let both = total(each * weight);
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
