//! Metrics of lists: each group's rows, ranked by score.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::predictions::Predictions;

/// A metric of a ranked list. A row of a label above 0 is relevant; NDCG counts labels as grades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RankingKind {
    /// `Σ (2^label - 1)/log2(rank + 1)` of the rows in the first k, over the best possible.
    Ndcg,
    /// Whether a relevant row is in the first k.
    HitRate,
    /// The share of relevant rows in the first k.
    Recall,
    /// One over the rank of the first relevant row; 0 behind k.
    Mrr,
}

impl RankingKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ndcg => "ndcg",
            Self::HitRate => "hr",
            Self::Recall => "recall",
            Self::Mrr => "mrr",
        }
    }

    /// The value of a list whose relevant rows stand at these ranks (from 1, rising).
    pub(crate) fn of(self, ranks: &[usize], k: usize) -> f64 {
        let inside = ranks.iter().take_while(|r| **r <= k).count();
        let gain = |rank: usize| 1.0 / ((rank + 1) as f64).log2();
        match self {
            Self::Ndcg => {
                let best: f64 = (1..=ranks.len().min(k)).map(gain).sum();
                ranks[..inside].iter().map(|r| gain(*r)).sum::<f64>() / best
            }
            Self::HitRate => f64::from(u8::from(inside > 0)),
            Self::Recall => inside as f64 / ranks.len() as f64,
            Self::Mrr => {
                if inside > 0 {
                    1.0 / ranks[0] as f64
                } else {
                    0.0
                }
            }
        }
    }
}

/// The mean over groups that have a relevant row; rows of no group are nobody's. Ties are ranked pessimistically: among equal scores the
/// irrelevant rows come first.
///
/// # Errors
/// Why it is undefined: no group has a relevant row.
pub fn ranking(p: &Predictions, kind: RankingKind, k: usize) -> Result<f64, String> {
    let mut order = p.grouped();
    order.sort_by(|&a, &b| {
        let (a, b) = (a as usize, b as usize);
        let by_group = p.groups[a].cmp(&p.groups[b]);
        by_group.then(p.scores[b].total_cmp(&p.scores[a])).then(p.labels[a].total_cmp(&p.labels[b]))
    });
    let (mut sum, mut lists) = (0.0, 0.0);
    for group in order.chunk_by(|&a, &b| p.groups[a as usize] == p.groups[b as usize]) {
        let relevant = |(at, row): (usize, &u32)| (p.labels[*row as usize] > 0.0).then_some(at + 1);
        let ranks: Vec<usize> = group.iter().enumerate().filter_map(relevant).collect();
        if !ranks.is_empty() {
            let graded = kind == RankingKind::Ndcg && group.iter().any(|r| !matches!(p.labels[*r as usize], 0.0 | 1.0));
            sum += if graded { graded_ndcg(p, group, k) } else { kind.of(&ranks, k) };
            lists += 1.0;
        }
    }
    match lists > 0.0 {
        true => Ok(sum / lists),
        false => Err("no group has a positive row".into()),
    }
}

/// NDCG with labels as grades, of a group in the order of its scores.
fn graded_ndcg(p: &Predictions, group: &[u32], k: usize) -> f64 {
    let mut labels: Vec<f64> = group.iter().map(|r| f64::from(p.labels[*r as usize]).max(0.0)).collect();
    let dcg = |labels: &[f64]| -> f64 {
        labels.iter().take(k).enumerate().map(|(at, y)| (y.exp2() - 1.0) / ((at + 2) as f64).log2()).sum()
    };
    let found = dcg(&labels);
    labels.sort_by(|a, b| b.total_cmp(a));
    found / dcg(&labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(labels: &[f32]) -> Predictions {
        let scores = (0..labels.len()).map(|i| -(i as f32)).collect();
        Predictions { scores, labels: labels.to_vec(), weights: vec![], groups: vec![1; labels.len()], items: vec![] }
    }

    #[test]
    fn leave_one_out_values_are_the_known_ones() {
        for (rank, expected) in [(1, 1.0), (2, 0.630_93), (3, 0.5), (4, 0.0)] {
            let mut labels = [0.0; 5];
            labels[rank - 1] = 1.0;
            assert!((ranking(&list(&labels), RankingKind::Ndcg, 3).unwrap() - expected).abs() < 1e-5);
            assert_eq!(ranking(&list(&labels), RankingKind::HitRate, 3), Ok(f64::from(u8::from(rank <= 3))));
            assert_eq!(ranking(&list(&labels), RankingKind::Mrr, usize::MAX), Ok(1.0 / rank as f64));
        }
    }

    #[test]
    fn ties_are_pessimistic_and_groups_without_a_positive_are_left_out() {
        let mut p = list(&[1.0, 0.0, 0.0]);
        p.scores = vec![0.5; 3];
        assert_eq!(ranking(&p, RankingKind::Mrr, usize::MAX), Ok(1.0 / 3.0));
        p.groups = vec![1, 2, 2];
        assert_eq!(ranking(&p, RankingKind::HitRate, 1), Ok(1.0));
        p.labels = vec![0.0; 3];
        assert!(ranking(&p, RankingKind::HitRate, 1).is_err());
    }

    #[test]
    fn grades_count_by_powers_of_two() {
        let p = list(&[1.0, 2.0, 0.0]);
        let expected = (1.0 + 3.0 / 3f64.log2()) / (3.0 + 1.0 / 3f64.log2());
        assert!((ranking(&p, RankingKind::Ndcg, 10).unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn recall_and_ndcg_with_two_relevant_rows() {
        let p = list(&[0.0, 1.0, 0.0, 1.0]);
        assert_eq!(ranking(&p, RankingKind::Recall, 2), Ok(0.5));
        let best = 1.0 + 1.0 / 3f64.log2();
        let found = 1.0 / 3f64.log2() + 1.0 / 5f64.log2();
        assert!((ranking(&p, RankingKind::Ndcg, 10).unwrap() - found / best).abs() < 1e-12);
    }
}
