//! Off-policy evaluation: what a policy would have earned, from the log of another one that wrote its propensities down.
//!
//! `w_i = π(a_i|x_i) / μ(a_i|x_i)`; r̂ is a model of rewards. Sources: Horvitz & Thompson 1952 (IPS), Swaminathan & Joachims
//! 2015 (SNIPS), Dudík et al. 2011 (DM, DR), Wang et al. 2017 (switch-DR), Saito & Joachims 2022 (MIPS), Li et al. 2011
//! (replay), Swaminathan et al. 2017 (slates).

mod bootstrap;
mod config;
mod estimators;
mod logged;
mod read;
mod slates;
#[cfg(test)]
mod tests;

pub use bootstrap::{Interval, bootstrap};
pub use config::{OpeConfig, OpeFile, PolicyConfig, RewardConfig};
pub use estimators::{Estimator, Terms};
pub(crate) use logged::propensity_problem;
pub use logged::{Logged, Modelled};
pub use read::read_log;

use serde::Serialize;

use crate::error::RlError;

/// What an estimator says of a policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimator.
    pub estimator: String,
    /// What a row, or a slate, would have earned on average; none where nothing of the log says so.
    pub value: Option<f64>,
    /// The interval.
    pub interval: Option<Interval>,
}

/// What a log says of a policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Rows.
    pub rows: usize,
    /// What the policy that made the log earned.
    pub logged: f64,
    /// Rows of as much weight each that would say as much: `(Σ w)² / Σ w²`.
    pub effective_rows: f64,
    /// The mean weight: 1 where the propensities are right and the policy does only what the log has.
    pub mean_weight: f64,
    /// The largest weight.
    pub largest_weight: f64,
    /// One entry an estimator.
    pub estimates: Vec<Estimate>,
}

/// Evaluates a policy by all estimators that a log has the columns for.
///
/// # Errors
/// Rows that no estimator can use.
pub fn evaluate(logged: &Logged, clip: f64, switch: f64, resamples: usize, seed: u64) -> Result<Evaluation, RlError> {
    let weights = logged.check()?;
    let (sum, squares) = weights.iter().fold((0.0, 0.0), |(s, q), w| (s + w, q + w * w));
    let by_row: Vec<(String, Terms)> = Estimator::usual(logged, clip, switch)
        .into_iter()
        .map(|estimator| (estimator.name(), estimator.terms(logged, &weights)))
        .collect();
    let estimates = [by_row, slates::all(logged, &weights)].into_iter().flat_map(|all| {
        let (names, terms): (Vec<String>, Vec<Terms>) = all.into_iter().unzip();
        let intervals = bootstrap(&terms, resamples, seed);
        let estimates = names.into_iter().zip(&terms).zip(intervals).map(|((estimator, terms), interval)| {
            let value = terms.value();
            Estimate { estimator, value, interval: interval.filter(|_| value.is_some()) }
        });
        estimates.collect::<Vec<_>>()
    });
    let rows = weights.len();
    Ok(Evaluation {
        rows,
        logged: logged.reward.iter().sum::<f64>() / rows as f64,
        effective_rows: if squares > 0.0 { sum * sum / squares } else { 0.0 },
        mean_weight: sum / rows as f64,
        largest_weight: weights.iter().copied().fold(0.0, f64::max),
        estimates: estimates.collect(),
    })
}
