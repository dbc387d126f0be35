//! Lists by scores and chance.

use crate::draw::Draws;

/// The first places of a ranking, each given to a candidate at random with probability ε; no candidate twice.
pub fn epsilon_greedy(ranking: &[usize], places: usize, epsilon: f64, draws: &mut Draws<'_>) -> Vec<usize> {
    let mut left = ranking.to_vec();
    let pick = |_| {
        let at = if draws.unit() < epsilon { draws.below(left.len()) } else { 0 };
        left.remove(at)
    };
    (0..places.min(ranking.len())).map(pick).collect()
}

/// How probable ε-greedy is to put a candidate in a place: of the best one that is left, or of any other.
pub fn epsilon_propensity(candidates: usize, epsilon: f64, is_best: bool) -> f64 {
    epsilon / candidates as f64 + if is_best { 1.0 - epsilon } else { 0.0 }
}

/// Candidates drawn one after another by the softmax of what is left; as the largest of scores with Gumbel noise.
pub fn boltzmann(scores: &[f32], places: usize, temperature: f64, draws: &mut Draws<'_>) -> Vec<usize> {
    let noisy: Vec<f64> =
        scores.iter().map(|score| f64::from(*score) / temperature - (-(1.0 - draws.unit()).ln()).ln()).collect();
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| noisy[*b].total_cmp(&noisy[*a]));
    order.truncate(places);
    order
}

/// Returns by their ranks, from -½ to ½; equal ones share the mean of theirs.
pub fn shaped(returns: &[f64]) -> Vec<f64> {
    let last = returns.len().saturating_sub(1).max(1) as f64;
    let shape = |own: &f64| {
        let (below, same) = (returns.iter().filter(|r| *r < own).count(), returns.iter().filter(|r| *r == own).count());
        (below as f64 + (same as f64 - 1.0) / 2.0) / last - 0.5
    };
    returns.iter().map(shape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_as_probable_as_it_says() {
        let mut draws = Draws::new(1, "e", 0);
        let (ranking, mut first) = ([3, 1, 0, 2], [0.0; 4]);
        for _ in 0..20_000 {
            let list = epsilon_greedy(&ranking, 3, 0.2, &mut draws);
            let mut once = list.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), 3);
            first[list[0]] += 1.0 / 20_000.0;
        }
        assert!((first[3] - epsilon_propensity(4, 0.2, true)).abs() < 0.01, "{first:?}");
        assert!((first[1] - epsilon_propensity(4, 0.2, false)).abs() < 0.01, "{first:?}");
        assert_eq!(epsilon_greedy(&ranking, 9, 0.0, &mut draws), ranking);
        let softmax = [1.0f64, 2.0, 0.0].map(|s| s.exp());
        let mut found = [0.0; 3];
        for _ in 0..20_000 {
            found[boltzmann(&[0.5, 1.0, 0.0], 1, 0.5, &mut draws)[0]] += 1.0 / 20_000.0;
        }
        let sum: f64 = softmax.iter().sum();
        assert!(found.iter().zip(softmax).all(|(a, b)| (a - b / sum).abs() < 0.015), "{found:?}");
    }

    #[test]
    fn returns_count_by_their_ranks() {
        assert_eq!(shaped(&[3.0, 1.0, 2.0]), [0.5, -0.5, 0.0]);
        assert_eq!(shaped(&[2.0; 4]), [0.0; 4]);
        assert_eq!(shaped(&[1.0]), [-0.5 + 0.5 - 0.5]);
    }
}
