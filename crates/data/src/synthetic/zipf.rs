//! Ids with a Zipf law, by inversion of its continuous approximation.

/// Draws ranks `0..n` with probability falling as `(rank + 1)^-exponent`.
#[derive(Clone, Copy, Debug)]
pub struct Zipf {
    count: u64,
    /// `1 - exponent`, kept away from zero.
    power: f64,
    span: f64,
}

impl Zipf {
    /// A law over `count` ids; `exponent` above 0.
    pub fn new(count: u64, exponent: f64) -> Self {
        let power = 1.0 - exponent;
        let power = if power.abs() < 1e-6 { 1e-6 } else { power };
        Self { count, power, span: ((count + 1) as f64).powf(power) - 1.0 }
    }

    /// The rank of a uniform draw `u` in 0..1.
    pub fn rank(&self, u: f64) -> u64 {
        let x = (u * self.span + 1.0).powf(1.0 / self.power);
        (x as u64).clamp(1, self.count) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_has_its_share_and_no_rank_is_out_of_range() {
        let law = Zipf::new(1000, 1.1);
        let draws = 100_000;
        let mut first = 0;
        for i in 0..draws {
            let rank = law.rank((f64::from(i) + 0.5) / f64::from(draws));
            assert!(rank < 1000);
            first += u32::from(rank == 0);
        }
        let mass = |x: f64| x.powf(-0.1);
        let expected = (mass(1.0) - mass(2.0)) / (mass(1.0) - mass(1001.0));
        assert!((f64::from(first) / f64::from(draws) - expected).abs() < 1e-3);
    }
}
