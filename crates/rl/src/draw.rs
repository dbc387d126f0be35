//! Draws that are functions of a seed, a name and a place: what one agent draws moves nothing of what another does, and there
//! is no generator whose state would have to be saved.

use burnrec_features::stream_seed;

/// A place out of two.
pub fn place(a: u64, b: u64) -> u64 {
    let mixed = (a ^ b.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 29)
}

/// A number in 0..1, 1 excluded.
pub fn unit(seed: u64, name: &str, place: u64) -> f64 {
    (stream_seed(seed, name, place) >> 11) as f64 / (1u64 << 53) as f64
}

/// A number of a whole number below `count`.
pub fn below(seed: u64, name: &str, place: u64, count: usize) -> usize {
    ((unit(seed, name, place) * count as f64) as usize).min(count.saturating_sub(1))
}

/// A number of the standard normal distribution (Box & Muller 1958).
pub fn normal(seed: u64, name: &str, at: u64) -> f64 {
    let (u, v) = (1.0 - unit(seed, name, place(at, 1)), unit(seed, name, place(at, 2)));
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// A waiting time of mean 1.
pub fn exponential(seed: u64, name: &str, place: u64) -> f64 {
    -(1.0 - unit(seed, name, place)).ln()
}

/// Draws of one purpose at one place, one after another.
#[derive(Clone, Copy, Debug)]
pub struct Draws<'a> {
    seed: u64,
    name: &'a str,
    place: u64,
    next: u64,
}

impl<'a> Draws<'a> {
    /// The draws of a purpose at a place.
    pub fn new(seed: u64, name: &'a str, place: u64) -> Self {
        Self { seed, name, place, next: 0 }
    }

    /// The next number in 0..1, 1 excluded.
    pub fn unit(&mut self) -> f64 {
        self.next += 1;
        unit(self.seed, self.name, place(self.place, self.next))
    }

    /// The next whole number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// The next number of the standard normal distribution.
    pub fn normal(&mut self) -> f64 {
        self.next += 1;
        normal(self.seed, self.name, place(self.place, self.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_their_moments_and_do_not_follow_each_other() {
        let count = 40_000u64;
        let all: Vec<f64> = (0..count).map(|i| unit(7, "x", place(3, i))).collect();
        let mean = all.iter().sum::<f64>() / count as f64;
        let together = all.windows(2).map(|w| (w[0] - 0.5) * (w[1] - 0.5)).sum::<f64>() / count as f64;
        assert!((mean - 0.5).abs() < 0.005 && together.abs() < 0.001, "{mean} {together}");
        let normals: Vec<f64> = (0..count).map(|i| normal(7, "x", i)).collect();
        let variance = normals.iter().map(|x| x * x).sum::<f64>() / count as f64;
        assert!((variance - 1.0).abs() < 0.03, "{variance}");
        let waits = (0..count).map(|i| exponential(7, "x", i)).sum::<f64>() / count as f64;
        assert!((waits - 1.0).abs() < 0.02, "{waits}");
        assert_eq!(unit(1, "a", 5), unit(1, "a", 5));
        assert_ne!(unit(1, "a", 5), unit(1, "b", 5));
        assert_eq!((0..100).map(|i| below(1, "a", i, 3)).max(), Some(2));
    }
}
