//! Ridge regression that learns row by row: `A = λI + Σ x xᵀ`, `b = Σ r x`, with the inverse of A kept by Sherman & Morrison's
//! formula. Its confidence is what LinUCB (Li et al., WWW 2010) adds, and what Thompson sampling draws by.

use serde::{Deserialize, Serialize};

/// Rows after which rounding is taken out of the inverse.
const SYMMETRISE: u64 = 1_000;

/// A ridge regression over d inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ridge {
    dim: usize,
    /// A⁻¹, `[d, d]`.
    inverse: Vec<f64>,
    b: Vec<f64>,
    theta: Vec<f64>,
    rows: u64,
}

impl Ridge {
    /// Nothing learned; λ above 0.
    pub fn new(dim: usize, lambda: f64) -> Self {
        let mut inverse = vec![0.0; dim * dim];
        (0..dim).for_each(|i| inverse[i * dim + i] = 1.0 / lambda);
        Self { dim, inverse, b: vec![0.0; dim], theta: vec![0.0; dim], rows: 0 }
    }

    /// Inputs.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// `A⁻¹ x`.
    fn times(&self, x: &[f64]) -> Vec<f64> {
        self.inverse.chunks(self.dim).map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum()).collect()
    }

    /// Learns that `x` gave `reward`; what is not finite is passed over.
    pub fn learn(&mut self, x: &[f64], reward: f64) {
        if !reward.is_finite() || x.iter().any(|x| !x.is_finite()) {
            return;
        }
        let moved = self.times(x);
        let scale = 1.0 + x.iter().zip(&moved).map(|(x, m)| x * m).sum::<f64>();
        for (row, left) in self.inverse.chunks_mut(self.dim).zip(&moved) {
            row.iter_mut().zip(&moved).for_each(|(a, right)| *a -= left * right / scale);
        }
        self.b.iter_mut().zip(x).for_each(|(b, x)| *b += reward * x);
        self.rows += 1;
        if self.rows.is_multiple_of(SYMMETRISE) {
            self.symmetrise();
        }
    }

    /// Takes over what was learned into the weights.
    pub fn settle(&mut self) {
        self.theta = self.times(&self.b);
    }

    fn symmetrise(&mut self) {
        for i in 0..self.dim {
            for j in 0..i {
                let mean = 0.5 * (self.inverse[i * self.dim + j] + self.inverse[j * self.dim + i]);
                self.inverse[i * self.dim + j] = mean;
                self.inverse[j * self.dim + i] = mean;
            }
        }
    }

    /// What `x` is expected to give, by the weights as they were settled last.
    pub fn mean(&self, x: &[f64]) -> f64 {
        self.theta.iter().zip(x).map(|(t, x)| t * x).sum()
    }

    /// How unsure that is: `√(xᵀ A⁻¹ x)`.
    pub fn width(&self, x: &[f64]) -> f64 {
        x.iter().zip(self.times(x)).map(|(x, m)| x * m).sum::<f64>().max(0.0).sqrt()
    }

    /// Weights drawn from `N(θ, v² A⁻¹)`; `normal` draws from the standard normal distribution.
    pub fn sample(&self, v: f64, mut normal: impl FnMut() -> f64) -> Vec<f64> {
        let z: Vec<f64> = (0..self.dim).map(|_| normal()).collect();
        let lower = cholesky(&self.inverse, self.dim);
        let drawn = lower.chunks(self.dim).map(|row| row.iter().zip(&z).map(|(l, z)| l * z).sum::<f64>());
        self.theta.iter().zip(drawn).map(|(theta, moved)| theta + v * moved).collect()
    }
}

/// The lower factor of a symmetric matrix; what rounding made negative counts as 0.
fn cholesky(matrix: &[f64], dim: usize) -> Vec<f64> {
    let mut lower = vec![0.0; dim * dim];
    for i in 0..dim {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| lower[i * dim + k] * lower[j * dim + k]).sum();
            let rest = matrix[i * dim + j] - sum;
            lower[i * dim + j] = match (i == j, lower[j * dim + j]) {
                (true, _) => rest.max(0.0).sqrt(),
                (false, pivot) if pivot > 0.0 => rest / pivot,
                _ => 0.0,
            };
        }
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draws;

    #[test]
    fn the_width_of_what_was_seen_n_times_is_that_of_n_draws() {
        let mut ridge = Ridge::new(3, 1.0);
        let x = [0.6, 0.0, 0.8];
        for n in 0..50 {
            assert!((ridge.width(&x) - 1.0 / f64::from(n + 1).sqrt()).abs() < 1e-12);
            ridge.learn(&x, 1.0);
        }
        ridge.settle();
        assert!((ridge.mean(&x) - 50.0 / 51.0).abs() < 1e-12);
        assert!((ridge.width(&[0.8, 0.0, -0.6]) - 1.0).abs() < 1e-9, "what was not seen stays unsure");
    }

    #[test]
    fn it_finds_the_weights_of_a_linear_reward_and_draws_around_them() {
        let mut draws = Draws::new(1, "ridge", 0);
        let (truth, mut ridge) = ([0.5, -1.0, 2.0, 0.0], Ridge::new(4, 1.0));
        for _ in 0..4_000 {
            let x: Vec<f64> = (0..4).map(|_| draws.normal()).collect();
            let y: f64 = truth.iter().zip(&x).map(|(t, x)| t * x).sum();
            ridge.learn(&x, y + 0.1 * draws.normal());
        }
        ridge.settle();
        let one = |i: usize| (0..4).map(|j| f64::from(u8::from(i == j))).collect::<Vec<_>>();
        (0..4).for_each(|i| assert!((ridge.mean(&one(i)) - truth[i]).abs() < 0.02));
        let all: Vec<Vec<f64>> = (0..4_000).map(|_| ridge.sample(1.0, || draws.normal())).collect();
        let variance = all.iter().map(|t| (t[2] - ridge.mean(&one(2))).powi(2)).sum::<f64>() / 4_000.0;
        let wanted = ridge.width(&one(2)).powi(2);
        assert!((variance / wanted - 1.0).abs() < 0.1, "{variance} {wanted}");
        ridge.learn(&[f64::NAN, 0.0, 0.0, 0.0], 1.0);
        assert!(ridge.width(&one(0)).is_finite());
    }
}
