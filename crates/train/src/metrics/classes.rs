//! Metrics of one of several classes, from their scores.

use crate::metrics::predictions::{Predictions, mean};

/// Mean cross-entropy of the softmax over the classes.
///
/// # Errors
/// Why it is undefined: no rows.
pub fn class_log_loss(p: &Predictions) -> Result<f64, String> {
    mean(p, |row| {
        let scores = p.classes(row);
        let most = scores.iter().copied().fold(f32::MIN, f32::max);
        let total: f64 = scores.iter().map(|s| f64::from(s - most).exp()).sum();
        total.ln() - f64::from(scores[p.labels[row] as usize] - most)
    })
}

/// Share of rows whose own class has the largest score; the first of equal ones counts as the largest.
///
/// # Errors
/// Why it is undefined: no rows.
pub fn class_accuracy(p: &Predictions) -> Result<f64, String> {
    mean(p, |row| f64::from(u8::from(largest(p.classes(row)) == p.labels[row] as usize)))
}

/// The place of the largest score.
pub(crate) fn largest(scores: &[f32]) -> usize {
    (1..scores.len()).fold(0, |best, place| if scores[place] > scores[best] { place } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_judged_by_their_softmax() {
        let p = Predictions {
            scores: vec![0.0, 2f32.ln(), 0.0, 3.0, 0.0, 0.0],
            labels: vec![1.0, 2.0],
            ..Default::default()
        };
        let expected = -((0.5f64).ln() + (1.0 / (3f64.exp() + 2.0)).ln()) / 2.0;
        assert!((class_log_loss(&p).unwrap() - expected).abs() < 1e-6);
        assert_eq!(class_accuracy(&p), Ok(0.5));
    }
}
