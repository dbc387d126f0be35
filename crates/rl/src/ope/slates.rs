//! Estimators of slates: rows are places, and what is estimated is what a slate earns.

use super::estimators::Terms;
use super::logged::Logged;

/// All estimators of slates, where a log has some of more than one place.
pub(super) fn all(logged: &Logged, weights: &[f64]) -> Vec<(String, Terms)> {
    let Some(slates) = &logged.slate else { return Vec::new() };
    let mut spans: Vec<std::ops::Range<usize>> = Vec::new();
    for (row, slate) in slates.iter().enumerate() {
        match spans.last_mut() {
            Some(span) if slates[span.start] == *slate => span.end = row + 1,
            _ => spans.push(row..row + 1),
        }
    }
    let each = |of: &dyn Fn(&[f64], &[f64]) -> f64| Terms {
        top: spans.iter().map(|span| of(&weights[span.clone()], &logged.reward[span.clone()])).collect(),
        bottom: None,
    };
    vec![
        ("slate ips".into(), each(&standard)),
        ("slate iips".into(), each(&independent)),
        ("slate rips".into(), each(&following)),
        ("slate pi".into(), each(&pseudo_inverse)),
    ]
}

/// `Π_k w_k · Σ_k r_k`: assumes nothing, and explodes with the places.
fn standard(weights: &[f64], rewards: &[f64]) -> f64 {
    weights.iter().product::<f64>() * rewards.iter().sum::<f64>()
}

/// `Σ_k w_k r_k`: what a place earns depends on it alone.
fn independent(weights: &[f64], rewards: &[f64]) -> f64 {
    weights.iter().zip(rewards).map(|(w, r)| w * r).sum()
}

/// `Σ_k (Π_{j≤k} w_j) r_k`: it depends on the places above as well.
fn following(weights: &[f64], rewards: &[f64]) -> f64 {
    let mut product = 1.0;
    let each = weights.iter().zip(rewards).map(|(w, r)| {
        product *= w;
        product * r
    });
    each.sum()
}

/// `(1 + Σ_k (w_k - 1)) Σ_k r_k`: the slate's reward is a sum over its places, and was not told apart.
fn pseudo_inverse(weights: &[f64], rewards: &[f64]) -> f64 {
    (1.0 + weights.iter().map(|w| w - 1.0).sum::<f64>()) * rewards.iter().sum::<f64>()
}
