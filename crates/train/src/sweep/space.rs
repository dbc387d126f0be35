//! Points of a space of settings.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::experiment::{SweepConfig, SweepRange};

/// A point: for each setting in the order of the keys the place among its values, or a number from 0 to 1 of its range.
pub type Point = Vec<f64>;

impl SweepRange {
    /// The setting at a coordinate.
    pub(super) fn at(&self, coordinate: f64) -> toml::Value {
        match self {
            Self::Values { values } => values.get(coordinate as usize).cloned().unwrap_or(toml::Value::Boolean(false)),
            Self::Cases { cases } => {
                toml::Value::String(cases.get(coordinate as usize).map_or_else(String::new, |case| case.name.clone()))
            }
            Self::Between { low, high, log, integer } => {
                let share = coordinate.clamp(0.0, 1.0);
                let value = match log {
                    true => (low.ln() + share * (high.ln() - low.ln())).exp(),
                    false => low + share * (high - low),
                };
                match integer {
                    true => toml::Value::Integer(value.round() as i64),
                    // Few digits, so that a person can read and repeat it.
                    false => toml::Value::Float(format!("{value:.4e}").parse().unwrap_or(value).clamp(*low, *high)),
                }
            }
        }
    }

    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> f64 {
        match self.places() {
            Some(places) => rng.random_range(0..places.max(1)) as f64,
            None => rng.random::<f64>(),
        }
    }
}

impl SweepConfig {
    /// A point by chance.
    pub(super) fn drawn(&self, rng: &mut ChaCha8Rng) -> Point {
        self.space.values().map(|range| range.draw(rng)).collect()
    }

    /// The point of a grid of this number, the last key's values first.
    pub(super) fn on_grid(&self, number: usize) -> Point {
        let mut left = number;
        let place = |range: &SweepRange| {
            let Some(places) = range.places() else { return 0.0 };
            let own = left % places;
            left /= places;
            own as f64
        };
        let mut point: Point = self.space.values().rev().map(place).collect();
        point.reverse();
        point
    }

    /// What stands at a point, by the keys of the space: a setting, or the name of a case.
    pub fn settings(&self, point: &Point) -> Vec<(String, toml::Value)> {
        self.space.iter().zip(point).map(|((key, range), at)| (key.clone(), range.at(*at))).collect()
    }

    /// The settings that a coordinate of a point changes.
    pub fn changes(&self, coordinate: usize, at: f64) -> Vec<(String, toml::Value)> {
        match self.space.iter().nth(coordinate) {
            Some((_, SweepRange::Cases { cases })) => {
                let case = cases.get(at as usize).map(|case| case.set.clone());
                case.unwrap_or_default().into_iter().collect()
            }
            Some((key, range)) => vec![(key.clone(), range.at(at))],
            None => Vec::new(),
        }
    }

    /// The point of what another is compared with: the same, with another case.
    pub(super) fn compared(&self, point: &Point, name: &str) -> Point {
        let own = |(range, at): (&SweepRange, &f64)| {
            let place = range.cases().iter().position(|case| case.name == name);
            place.map_or(*at, |place| place as f64)
        };
        self.space.values().zip(point).map(own).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_every_combination_once_and_ranges_reach_their_ends() {
        let text = "[space]\na = { values = [1, 2] }\nb = { values = [\"x\", \"y\", \"z\"] }";
        let sweep: SweepConfig = toml::from_str(&format!("method = \"grid\"\n{text}")).unwrap();
        assert_eq!(sweep.count(), 6);
        let all: Vec<String> = (0..6).map(|n| format!("{:?}", sweep.settings(&sweep.on_grid(n)))).collect();
        assert!((0..6).all(|n| all.iter().filter(|own| **own == all[n]).count() == 1), "{all:?}");
        let range = SweepRange::Between { low: 1e-4, high: 1e-1, log: true, integer: false };
        let value = |at: f64| range.at(at).as_float().unwrap();
        assert!((value(0.0) - 1e-4).abs() < 1e-9 && (value(1.0) - 0.1).abs() < 1e-6);
        assert!((value(0.5) - 1e-3f64.powf(0.5) * 0.1).abs() < 1e-5, "{}", value(0.5));
        let whole = SweepRange::Between { low: 2.0, high: 5.0, log: false, integer: true };
        assert_eq!((whole.at(0.0).as_integer(), whole.at(1.0).as_integer()), (Some(2), Some(5)));
    }
}
