//! A log of what a policy did, checked.

use crate::error::RlError;

/// What a model of rewards says of logged rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Modelled {
    /// r̂ of each row's own action.
    pub logged: Vec<f64>,
    /// `Σ_a π(a|x) r̂(x, a)` of each row.
    pub policy: Vec<f64>,
}

/// Rows of a log, all of one length.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Logged {
    /// Where they come from, for errors.
    pub path: String,
    /// What each action earned.
    pub reward: Vec<f64>,
    /// How probable the action was when it was chosen, μ: above 0, at most 1.
    pub propensity: Vec<f64>,
    /// How probable it would have been under the policy that is evaluated, π: 0..=1.
    pub target: Vec<f64>,
    /// A model of rewards.
    pub model: Option<Modelled>,
    /// What describes the action of each row, for MIPS: rewards depend on actions through it alone.
    pub embedding: Option<Vec<u64>>,
    /// `w(x, e)` where all of π and μ are known; else the mean weight of rows with the embedding.
    pub marginal: Option<Vec<f64>>,
    /// The slate of each row; rows of one stand together, the first place first.
    pub slate: Option<Vec<u64>>,
}

/// Why a number can be no propensity; none where it can.
pub(crate) fn propensity_problem(mu: f64) -> Option<String> {
    match mu {
        _ if mu.is_nan() => Some("the propensity is missing; it is what the policy that made the log gave to its action at that moment, and cannot be made up later".into()),
        _ if mu <= 0.0 => Some(format!("the propensity is {mu}: an action of probability 0 cannot have been taken; log what the policy gave to it")),
        _ if !(1.0 / mu).is_finite() => Some(format!("the propensity is {mu}, so small that its weight is no number; is it a logarithm?")),
        _ if mu > 1.0 => Some(format!("the propensity is {mu}, and probabilities are at most 1; is it a weight, or a percentage?")),
        _ => None,
    }
}

impl Logged {
    /// The weight of each row.
    ///
    /// # Errors
    /// The first row that no estimator can use.
    pub(super) fn check(&self) -> Result<Vec<f64>, RlError> {
        let row = |at: usize, problem: String| RlError::Log { path: self.path.clone(), row: at + 1, problem };
        if self.reward.is_empty() {
            return Err(row(0, "the log has no rows; nothing can be evaluated".into()));
        }
        for (at, ((reward, mu), pi)) in self.reward.iter().zip(&self.propensity).zip(&self.target).enumerate() {
            let problem = match () {
                () if !reward.is_finite() || reward.abs() > 1e100 => {
                    format!("the reward is {reward}, which is no number that can be summed")
                }
                () if propensity_problem(*mu).is_some() => propensity_problem(*mu).unwrap_or_default(),
                () if !(0.0..=1.0 + 1e-9).contains(pi) => {
                    format!("the policy gives the action {pi}, which is no probability")
                }
                () => continue,
            };
            return Err(row(at, problem));
        }
        let model = self.model.iter().flat_map(|m| [&m.logged, &m.policy]);
        for (at, value) in model.flat_map(|column| column.iter().enumerate()) {
            if !value.is_finite() {
                return Err(row(at, format!("the model of rewards says {value}, which is no number")));
            }
        }
        let slates = self.slate.iter().flatten().collect::<Vec<_>>();
        let mut ended = std::collections::HashSet::new();
        for (at, pair) in slates.windows(2).enumerate().filter(|(_, pair)| pair[0] != pair[1]) {
            if !ended.insert(*pair[0]) || ended.contains(pair[1]) {
                return Err(row(at + 1, "the rows of a slate stand apart; sort them by slate and place".into()));
            }
        }
        Ok(self.target.iter().zip(&self.propensity).map(|(pi, mu)| pi / mu).collect())
    }
}
