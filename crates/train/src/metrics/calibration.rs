//! Log-loss and whether probabilities mean what they say.

use crate::metrics::predictions::{Predictions, mean};

/// Mean cross-entropy from log-odds, in its stable form.
///
/// # Errors
/// Why it is undefined: no rows.
pub fn log_loss(p: &Predictions) -> Result<f64, String> {
    mean(p, |r| {
        let (z, y) = (f64::from(p.scores[r]), f64::from(p.labels[r]));
        z.max(0.0) - z * y + (-z.abs()).exp().ln_1p()
    })
}

/// Log-loss over the entropy of the rows' own base rate (He et al., ADKDD 2014): 1 for a constant guess of it.
///
/// # Errors
/// Why it is undefined: no rows, or one class.
pub fn normalised_entropy(p: &Predictions) -> Result<f64, String> {
    let rate = mean(p, |r| f64::from(p.labels[r]))?;
    let entropy = -(rate * rate.ln() + (1.0 - rate) * (-rate).ln_1p());
    match entropy.is_finite() && entropy > 0.0 {
        true => Ok(log_loss(p)? / entropy),
        false => Err("the rows have one class only".into()),
    }
}

/// Predicted positives over observed ones: above 1 means that the model promises too much.
///
/// # Errors
/// Why it is undefined: no rows, or no positive.
pub fn predicted_over_observed(p: &Predictions) -> Result<f64, String> {
    let observed = mean(p, |r| f64::from(p.labels[r]))?;
    match observed > 0.0 {
        true => Ok(mean(p, |r| p.probability(r))? / observed),
        false => Err("the rows have no positive".into()),
    }
}

/// `Σ_bins (n_bin / n) · |mean prediction - mean label|` over bins of equal width.
///
/// # Errors
/// Why it is undefined: no rows.
pub fn expected_calibration_error(p: &Predictions, bins: usize) -> Result<f64, String> {
    let mut gaps = vec![0.0; bins];
    let mut total = 0.0;
    for row in 0..p.scores.len() {
        let chance = p.probability(row);
        let bin = ((chance * bins as f64) as usize).min(bins - 1);
        gaps[bin] += p.weight(row) * (chance - f64::from(p.labels[row]));
        total += p.weight(row);
    }
    match total > 0.0 {
        true => Ok(gaps.iter().map(|g: &f64| g.abs()).sum::<f64>() / total),
        false => Err("no rows, or all weights are 0".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constant(rate: f64, labels: &[f32]) -> Predictions {
        let logit = (rate / (1.0 - rate)).ln() as f32;
        Predictions { scores: vec![logit; labels.len()], labels: labels.to_vec(), ..Default::default() }
    }

    #[test]
    fn the_base_rate_scores_its_entropy_and_one() {
        let p = constant(0.25, &[1.0, 0.0, 0.0, 0.0]);
        assert!((log_loss(&p).unwrap() - 0.562_335).abs() < 1e-6);
        assert!((normalised_entropy(&p).unwrap() - 1.0).abs() < 1e-6);
        assert!((predicted_over_observed(&p).unwrap() - 1.0).abs() < 1e-6);
        assert!(expected_calibration_error(&p, 20).unwrap() < 1e-6);
    }

    #[test]
    fn overconfidence_shows() {
        let p = constant(0.5, &[1.0, 0.0, 0.0, 0.0]);
        assert!((predicted_over_observed(&p).unwrap() - 2.0).abs() < 1e-9);
        assert!((expected_calibration_error(&p, 20).unwrap() - 0.25).abs() < 1e-9);
    }

    #[test]
    fn what_has_no_value_says_why() {
        let p = constant(0.5, &[0.0, 0.0]);
        assert!(normalised_entropy(&p).is_err() && predicted_over_observed(&p).is_err());
        assert!(log_loss(&Predictions::default()).is_err());
    }
}
