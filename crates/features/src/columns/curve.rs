//! A map of log-odds to log-odds that makes probabilities mean what they say, fitted behind the model on later rows.

use serde::{Deserialize, Serialize};

/// Knots of a curve, at most.
const KNOTS: usize = 1 << 16;

/// A map that never falls, so that it leaves the order of rows as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Curve {
    /// `scale · z + shift` (Platt, 1999).
    Line {
        /// Above 0.
        scale: f64,
        /// Added.
        shift: f64,
    },
    /// Straight between knots, level beyond them (isotonic regression).
    Knots {
        /// Log-odds of the model, rising.
        from: Vec<f64>,
        /// What they become, never falling.
        to: Vec<f64>,
    },
}

impl Curve {
    /// What log-odds become.
    pub fn apply(&self, z: f32) -> f32 {
        let z = f64::from(z);
        (match self {
            Self::Line { scale, shift } => scale * z + shift,
            Self::Knots { from, to } => match from.partition_point(|knot| *knot <= z) {
                0 => to[0],
                at if at == from.len() => to[at - 1],
                at => {
                    let share = (z - from[at - 1]) / (from[at] - from[at - 1]);
                    to[at - 1] + share * (to[at] - to[at - 1])
                }
            },
        }) as f32
    }

    /// Whether it is one: it is read from files.
    pub(crate) fn is_sound(&self) -> bool {
        let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
        match self {
            Self::Line { scale, shift } => finite(&[*scale, *shift]) && *scale > 0.0,
            Self::Knots { from, to } => {
                (1..=KNOTS).contains(&from.len())
                    && from.len() == to.len()
                    && finite(from)
                    && finite(to)
                    && from.windows(2).all(|pair| pair[0] < pair[1])
                    && to.windows(2).all(|pair| pair[0] <= pair[1])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_knots_by_hand() {
        assert_eq!(Curve::Line { scale: 2.0, shift: -1.0 }.apply(3.0), 5.0);
        let knots = Curve::Knots { from: vec![-1.0, 1.0, 2.0], to: vec![0.0, 4.0, 4.0] };
        for (z, wanted) in [(-9.0, 0.0), (-1.0, 0.0), (0.0, 2.0), (1.5, 4.0), (9.0, 4.0)] {
            assert_eq!(knots.apply(z), wanted);
        }
        assert!(knots.is_sound());
    }

    #[test]
    fn what_is_no_rising_map_is_not_sound() {
        for curve in [
            Curve::Line { scale: 0.0, shift: 0.0 },
            Curve::Line { scale: 1.0, shift: f64::NAN },
            Curve::Knots { from: vec![], to: vec![] },
            Curve::Knots { from: vec![0.0, 0.0], to: vec![0.0, 1.0] },
            Curve::Knots { from: vec![0.0, 1.0], to: vec![1.0, 0.0] },
            Curve::Knots { from: vec![0.0, 1.0], to: vec![1.0] },
        ] {
            assert!(!curve.is_sound(), "{curve:?}");
        }
    }
}
