//! Probabilistic interleaving: each place is given to a ranking at random, which draws a candidate by its softmax of ranks.
//!
//! `P_j(d) = rank_j(d)^{-τ} / Σ_{d' left} rank_j(d')^{-τ}`: ranks are those of the whole ranking, the sum is over what is not
//! shown yet. Given what is shown, a place is ranking j's with probability `P_j(d) / Σ_j' P_j'(d)`.

use super::Interleaved;

/// The probabilities with which a ranking of `count` candidates draws each place of it.
pub fn choice(count: usize, tau: f64) -> Vec<f64> {
    let weights: Vec<f64> = (1..=count).map(|rank| (rank as f64).powf(-tau)).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Interleaves rankings over the same candidates, `0..count` each once in each; `unit` draws numbers in 0..1.
pub fn probabilistic(rankings: &[Vec<usize>], places: usize, tau: f64, mut unit: impl FnMut() -> f64) -> Interleaved {
    let count = rankings.first().map_or(0, Vec::len);
    let by_rank = choice(count, tau);
    // Weight of each candidate, one row a ranking; 0 once it is shown.
    let mut weights = vec![vec![0.0; count]; rankings.len()];
    for (weights, ranking) in weights.iter_mut().zip(rankings) {
        ranking.iter().zip(&by_rank).for_each(|(candidate, weight)| weights[*candidate] = *weight);
    }
    let (mut slate, mut share) = (Vec::new(), Vec::new());
    for _ in 0..places.min(count) {
        let sums: Vec<f64> = weights.iter().map(|own| own.iter().sum()).collect();
        let ranking = ((unit() * rankings.len() as f64) as usize).min(rankings.len() - 1);
        let shown = draw(&weights[ranking], &rankings[ranking], unit() * sums[ranking]);
        let own: Vec<f64> = weights.iter().zip(&sums).map(|(weights, sum)| weights[shown] / sum).collect();
        let all: f64 = own.iter().sum();
        share.push(own.into_iter().map(|own| own / all).collect());
        slate.push(shown);
        weights.iter_mut().for_each(|weights| weights[shown] = 0.0);
    }
    Interleaved { slate, share }
}

/// The candidate where the sum of weights, in the order of a ranking, passes a number.
fn draw(weights: &[f64], ranking: &[usize], mut at: f64) -> usize {
    let left = || ranking.iter().copied().filter(|candidate| weights[*candidate] > 0.0);
    for candidate in left() {
        at -= weights[candidate];
        if at < 0.0 {
            return candidate;
        }
    }
    left().next_back().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draws;
    use crate::interleave::winner;

    /// How much rankings prefer their first candidates.
    const TAU: f64 = 3.0;

    fn shuffled(count: usize, draws: &mut Draws<'_>) -> Vec<usize> {
        let mut all: Vec<usize> = (0..count).collect();
        (1..count).rev().for_each(|i| all.swap(i, draws.below(i + 1)));
        all
    }

    #[test]
    fn probabilities_are_those_of_the_reference() {
        let close = |found: &[f64], wanted: &[f64]| {
            assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 5e-7), "{found:?} {wanted:?}");
        };
        close(&choice(3, TAU), &[0.860_558, 0.107_570, 0.031_873]);
        close(&choice(10, TAU)[..3], &[0.835_051, 0.104_381, 0.030_928]);
    }

    /// The posterior over all assignments of places to rankings, by enumeration.
    fn enumerated(rankings: &[Vec<usize>], slate: &[usize], clicks: &[bool]) -> Vec<f64> {
        let (n, k) = (rankings.len(), slate.len());
        let probability = |j: usize, place: usize| {
            let weight = |d: usize| (rankings[j].iter().position(|x| *x == d).unwrap() as f64 + 1.0).powf(-TAU);
            let left: f64 = rankings[j].iter().filter(|d| !slate[..place].contains(d)).map(|d| weight(*d)).sum();
            weight(slate[place]) / left
        };
        let (mut credit, mut all) = (vec![0.0; n], 0.0);
        for assignment in 0..n.pow(u32::try_from(k).unwrap()) {
            let of = |place: usize| assignment / n.pow(u32::try_from(place).unwrap()) % n;
            let likely: f64 = (0..k).map(|place| probability(of(place), place)).product();
            all += likely;
            (0..k).filter(|place| clicks[*place]).for_each(|place| credit[of(place)] += likely);
        }
        credit.into_iter().map(|sum| sum / all).collect()
    }

    #[test]
    fn credit_is_that_of_enumeration() {
        let mut draws = Draws::new(3, "pairs", 0);
        for pair in 0..1_300 {
            // Two rankings of up to 6, and three of up to 4.
            let (n, most) = if pair < 1_000 { (2, 6) } else { (3, 4) };
            let count = 1 + draws.below(most);
            let rankings: Vec<Vec<usize>> = (0..n).map(|_| shuffled(count, &mut draws)).collect();
            let shown = probabilistic(&rankings, 1 + draws.below(count), TAU, || draws.unit());
            let clicks: Vec<bool> = shown.slate.iter().map(|_| draws.unit() < 0.5).collect();
            let (found, wanted) = (shown.credit(&clicks), enumerated(&rankings, &shown.slate, &clicks));
            assert!(found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?} {wanted:?}");
        }
    }

    #[test]
    fn identical_lists_always_tie_and_nobody_is_favoured() {
        let mut draws = Draws::new(5, "fair", 0);
        let (mut wins, mut decided) = (0, 0);
        for _ in 0..10_000 {
            let ranking = shuffled(8, &mut draws);
            let same = probabilistic(&[ranking.clone(), ranking.clone()], 5, TAU, || draws.unit());
            let clicks: Vec<bool> = same.slate.iter().map(|_| draws.unit() < 0.3).collect();
            assert_eq!(winner(&same.credit(&clicks)), None);
            // Rankings of equal worth: clicks know nothing of either.
            let other = shuffled(8, &mut draws);
            let shown = probabilistic(&[ranking, other], 5, TAU, || draws.unit());
            if let Some(winner) = winner(&shown.credit(&clicks)) {
                decided += 1;
                wins += usize::from(winner == 1);
            }
        }
        let (share, deviation) = (f64::from(wins as u32) / f64::from(decided), 0.5 / f64::from(decided).sqrt());
        assert!((share - 0.5).abs() < 3.0 * deviation, "{share} of {decided}");
    }

    #[test]
    fn the_better_list_wins_more_often_and_what_is_shown_is_shown_once() {
        let mut draws = Draws::new(9, "better", 0);
        let good: Vec<usize> = (0..10).collect();
        let poor: Vec<usize> = (0..10).rev().collect();
        let (mut good_wins, mut poor_wins) = (0, 0);
        for _ in 0..2_000 {
            let shown = probabilistic(&[poor.clone(), good.clone()], 5, TAU, || draws.unit());
            let mut once = shown.slate.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), 5);
            // Lower numbers are clicked more.
            let clicks: Vec<bool> = shown.slate.iter().map(|d| draws.unit() < 0.5 / (1.0 + *d as f64)).collect();
            match winner(&shown.credit(&clicks)) {
                Some(1) => good_wins += 1,
                Some(0) => poor_wins += 1,
                _ => {}
            }
        }
        assert!(good_wins > 3 * poor_wins, "{good_wins} {poor_wins}");
    }

    #[test]
    fn short_lists_are_shown_whole() {
        let shown = probabilistic(&[vec![1, 0], vec![0, 1]], 5, TAU, || 0.99);
        assert_eq!(shown.slate.len(), 2);
        assert!(probabilistic(&[vec![], vec![]], 5, TAU, || 0.5).slate.is_empty());
    }
}
