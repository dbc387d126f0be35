//! Exploration by noise, on utilities whose best point is known.

use super::*;
use crate::draw::Draws;

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Dueling bandit gradient descent over a vector; `wins` tells whether the second one beats the first.
fn duels(dim: usize, rounds: usize, gamma: f64, mut wins: impl FnMut(&[f64], &[f64], u64) -> bool) -> Vec<f64> {
    let mut w = vec![0.0; dim];
    for round in 0..rounds as u64 {
        let mut draws = Draws::new(11, "direction", round);
        let mut u: Vec<f64> = (0..dim).map(|_| draws.normal()).collect();
        let norm = u.iter().map(|x| x * x).sum::<f64>().sqrt();
        u.iter_mut().for_each(|x| *x /= norm);
        let other: Vec<f64> = w.iter().zip(&u).map(|(w, u)| w + u).collect();
        if wins(&w, &other, round) {
            w.iter_mut().zip(&u).for_each(|(w, u)| *w += gamma * u);
        }
    }
    w
}

#[test]
fn duels_find_a_linear_utility_and_chance_leads_nowhere() {
    let best: Vec<f64> = (0..10).map(|i| ((i * 7 + 3) % 10) as f64 - 4.5).collect();
    let worth = |w: &[f64]| w.iter().zip(&best).map(|(w, b)| w * b).sum::<f64>();
    let found = duels(10, 5_000, 0.05, |a, b, _| worth(b) > worth(a));
    assert!(cosine(&found, &best) > 0.9, "{}", cosine(&found, &best));
    let early = duels(10, 5, 0.05, |a, b, _| worth(b) > worth(a));
    assert!(cosine(&early, &best) < cosine(&found, &best));
    // Half of all steps are taken, in no direction: as far as a random walk comes, and no further.
    let lost = duels(10, 5_000, 0.05, |_, _, round| Draws::new(5, "coin", round).unit() < 0.5);
    let length = lost.iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!(length < 3.0 * 0.05 * 2_500f64.sqrt(), "{length}");
    assert!(cosine(&lost, &best).abs() < 0.8);
}

#[test]
fn evolution_follows_the_gradient_of_a_linear_function() {
    let c = [1.0, -2.0, 0.5, 0.0, 3.0];
    let mut sum = vec![0.0; c.len()];
    let mut flat = vec![0.0; c.len()];
    for generation in 0..400 {
        let pairs: Vec<Vec<f64>> = (0..6u64)
            .map(|pair| {
                let mut draws = Draws::new(3, "pair", generation * 6 + pair);
                c.iter().map(|_| draws.normal()).collect()
            })
            .collect();
        let worth = |eps: &Vec<f64>, sign: f64| c.iter().zip(eps).map(|(c, e)| sign * c * e).sum::<f64>();
        let returns: Vec<f64> = pairs.iter().flat_map(|eps| [worth(eps, 1.0), worth(eps, -1.0)]).collect();
        let (shape, even) = (shaped(&returns), shaped(&vec![1.0; returns.len()]));
        for (pair, eps) in pairs.iter().enumerate() {
            let by = |u: &[f64]| u[2 * pair] - u[2 * pair + 1];
            sum.iter_mut().zip(eps).for_each(|(s, e)| *s += by(&shape) * e);
            flat.iter_mut().zip(eps).for_each(|(s, e)| *s += by(&even) * e);
        }
    }
    assert!(cosine(&sum, &c) > 0.99, "{sum:?}");
    assert_eq!(flat, vec![0.0; c.len()], "a constant has no gradient");
}
