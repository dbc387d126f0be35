//! Metrics of looking for items: where what a user liked stands among all items.

use burnrec_record::Metrics;

use crate::metrics::name::MetricName;
use crate::metrics::predictions::NOT_FINITE;

/// The ranks of liked items among all that were not seen, rising; among equal scores liked items come last.
pub(crate) fn ranks(scores: &[f32], liked: &[u32], seen: &[u32]) -> Vec<usize> {
    let mut rivals = vec![true; scores.len()];
    liked.iter().chain(seen).for_each(|i| rivals[*i as usize] = false);
    let mut own: Vec<f32> = liked.iter().map(|i| scores[*i as usize]).collect();
    own.sort_by(|a, b| b.total_cmp(a));
    // How many rivals stand before each liked item: those before the first that they beat.
    let mut before = vec![0usize; own.len() + 1];
    for (score, _) in scores.iter().zip(&rivals).filter(|(_, r)| **r) {
        before[own.partition_point(|o| o > score)] += 1;
    }
    let mut rivals = 0;
    let rank = |(at, more): (usize, &usize)| {
        rivals += more;
        rivals + at + 1
    };
    before[..own.len()].iter().enumerate().map(rank).collect()
}

/// The means of named metrics over users, from the ranks of what each liked; undefined where there were no ranks.
pub(crate) fn mean_of_ranks(names: &[MetricName], ranks: Option<&[Vec<usize>]>) -> Metrics {
    let value = |name: &MetricName| match (name, ranks) {
        (_, None) => Err(NOT_FINITE.into()),
        (MetricName::Ranking(kind, k), Some(ranks)) if !ranks.is_empty() => {
            Ok(ranks.iter().map(|r| kind.of(r, *k)).sum::<f64>() / ranks.len() as f64)
        }
        _ => Err("no user liked an item that was new to the user".into()),
    };
    Metrics(names.iter().map(|n| (n.name(), value(n))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_pessimistic_and_leave_out_what_was_seen() {
        let scores = [0.9, 0.5, 0.5, 0.1, 0.7];
        assert_eq!(ranks(&scores, &[1], &[]), [4]);
        assert_eq!(ranks(&scores, &[1], &[0]), [3]);
        assert_eq!(ranks(&scores, &[3, 0], &[4]), [1, 4]);
        assert_eq!(ranks(&[1.0; 5], &[0, 4], &[]), [4, 5]);
    }
}
