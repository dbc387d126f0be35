//! The tree-structured Parzen estimator: points where good trials are dense and the others are not (Bergstra et al., NeurIPS
//! 2011).

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::space::Point;
use crate::experiment::{SweepConfig, SweepRange};

/// Candidates of which the best ratio is taken.
const CANDIDATES: usize = 24;

/// The trials that count as good, of so many.
fn good(count: usize) -> usize {
    ((count as f64).sqrt() / 2.0).ceil().clamp(1.0, 25.0) as usize
}

/// A density over one coordinate.
enum Density {
    /// Chances of values.
    Values(Vec<f64>),
    /// Normal bumps in 0..1 with their widths, and a flat one.
    Bumps(Vec<(f64, f64)>),
}

impl Density {
    fn of(range: &SweepRange, points: &[f64]) -> Self {
        match range.places() {
            Some(places) => {
                // Each value counts as seen once in all beforehand.
                let mut counts = vec![1.0; places];
                points.iter().for_each(|at| counts[*at as usize] += 1.0);
                let sum: f64 = counts.iter().sum();
                Self::Values(counts.into_iter().map(|count| count / sum).collect())
            }
            None => {
                let mut sorted = points.to_vec();
                sorted.sort_by(f64::total_cmp);
                let least = 1.0 / (1.0 + points.len() as f64).min(100.0);
                let width = |at: usize| {
                    let before = if at == 0 { 0.0 } else { sorted[at - 1] };
                    let after = sorted.get(at + 1).copied().unwrap_or(1.0);
                    (sorted[at] - before).max(after - sorted[at]).clamp(least * 0.5, 1.0)
                };
                Self::Bumps((0..sorted.len()).map(|at| (sorted[at], width(at))).collect())
            }
        }
    }

    fn at(&self, x: f64) -> f64 {
        match self {
            Self::Values(chances) => chances.get(x as usize).copied().unwrap_or(0.0),
            Self::Bumps(bumps) => {
                let bump = |(middle, width): &(f64, f64)| {
                    let z = (x - middle) / width;
                    (-0.5 * z * z).exp() / (width * std::f64::consts::TAU.sqrt())
                };
                (bumps.iter().map(bump).sum::<f64>() + 1.0) / (bumps.len() + 1) as f64
            }
        }
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Values(chances) => {
                let mut left = rng.random::<f64>();
                let place = chances.iter().position(|chance| {
                    left -= chance;
                    left < 0.0
                });
                place.unwrap_or(chances.len() - 1) as f64
            }
            Self::Bumps(bumps) => match rng.random_range(0..=bumps.len()) {
                at if at < bumps.len() => {
                    let (middle, width) = bumps[at];
                    let draws = (0..64).map(|_| middle + width * Distribution::<f64>::sample(&StandardNormal, rng));
                    draws.into_iter().find(|x| (0.0..=1.0).contains(x)).unwrap_or(middle)
                }
                _ => rng.random(),
            },
        }
    }
}

/// The next point, from points with what they came to, better the smaller.
pub(super) fn propose(sweep: &SweepConfig, tried: &[(Point, f64)], rng: &mut ChaCha8Rng) -> Point {
    let mut order: Vec<&(Point, f64)> = tried.iter().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (best, rest) = order.split_at(good(order.len()).min(order.len()));
    let densities = |of: &[&(Point, f64)]| -> Vec<Density> {
        let own = |at: usize| of.iter().map(|(point, _)| point[at]).collect::<Vec<f64>>();
        sweep.space.values().enumerate().map(|(at, range)| Density::of(range, &own(at))).collect()
    };
    let (of_best, of_rest) = (densities(best), densities(rest));
    let pick = |(near, far): (&Density, &Density)| {
        let candidates = (0..CANDIDATES).map(|_| near.draw(rng)).collect::<Vec<f64>>();
        let ratio = |x: &f64| near.at(*x) / far.at(*x).max(1e-12);
        candidates.into_iter().max_by(|a, b| ratio(a).total_cmp(&ratio(b))).unwrap_or(0.0)
    };
    of_best.iter().zip(&of_rest).map(pick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// A surface with one valley: rate near 10^-2, width near .7, the second of three kinds.
    fn surface(point: &Point) -> f64 {
        let kind = [0.4, 0.0, 0.2][point[1] as usize];
        (point[0] - 0.66).powi(2) + 0.5 * (point[2] - 0.7).powi(2) + kind
    }

    #[test]
    fn it_is_not_worse_than_chance_at_equal_trials() {
        let text = "[space]\n\"a.rate\" = { low = 1e-4, high = 1e-1, log = true }\n\"b.kind\" = { values = [1, 2, 3] }\n\"c.width\" = { low = 0.0, high = 1.0 }";
        let sweep: SweepConfig = toml::from_str(text).unwrap();
        let (mut chance, mut model) = (0.0, 0.0);
        for seed in 0..5 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let drawn: Vec<Point> = (0..20).map(|_| sweep.drawn(&mut rng)).collect();
            chance += drawn.iter().map(surface).fold(f64::INFINITY, f64::min);
            let mut tried: Vec<(Point, f64)> = drawn[..5].iter().map(|p| (p.clone(), surface(p))).collect();
            while tried.len() < 20 {
                let point = propose(&sweep, &tried, &mut rng);
                assert!((0.0..=1.0).contains(&point[0]) && point[1] < 3.0 && (0.0..=1.0).contains(&point[2]));
                tried.push((point.clone(), surface(&point)));
            }
            model += tried.iter().map(|t| t.1).fold(f64::INFINITY, f64::min);
        }
        assert!(model <= chance, "{model} {chance}");
    }
}
