//! Team draft: rankings take turns, in an order drawn each round, and each adds its best candidate that is not shown yet.

use super::Interleaved;

/// Interleaves rankings over the same candidates; `unit` draws numbers in 0..1.
pub fn team_draft(rankings: &[Vec<usize>], places: usize, mut unit: impl FnMut() -> f64) -> Interleaved {
    let count = rankings.first().map_or(0, Vec::len);
    let mut taken = vec![false; count];
    let (mut slate, mut share) = (Vec::new(), Vec::new());
    let mut turn: Vec<usize> = Vec::new();
    while slate.len() < places.min(count) {
        if turn.is_empty() {
            turn = (0..rankings.len()).collect();
            (1..turn.len()).rev().for_each(|i| turn.swap(i, ((unit() * (i + 1) as f64) as usize).min(i)));
        }
        let Some(ranking) = turn.pop() else { break };
        let Some(best) = rankings[ranking].iter().copied().find(|candidate| !taken[*candidate]) else { break };
        taken[best] = true;
        slate.push(best);
        share.push((0..rankings.len()).map(|other| if other == ranking { 1.0 } else { 0.0 }).collect());
    }
    Interleaved { slate, share }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draws;

    #[test]
    fn teams_are_of_one_size_and_a_ranking_gets_its_first_first() {
        let mut draws = Draws::new(1, "team", 0);
        for _ in 0..200 {
            let shown = team_draft(&[vec![0, 1, 2, 3, 4, 5], vec![5, 4, 3, 2, 1, 0]], 6, || draws.unit());
            let own: f64 = shown.share.iter().map(|share| share[0]).sum();
            assert_eq!(own, 3.0);
            assert!(shown.slate[..2].contains(&0) && shown.slate[..2].contains(&5));
        }
        let firsts = (0..4_000).filter(|_| {
            let shown = team_draft(&[vec![0, 1], vec![1, 0]], 2, || draws.unit());
            shown.share[0][0] == 1.0
        });
        assert!((firsts.count() as f64 - 2_000.0).abs() < 100.0);
    }
}
