//! Estimators of rows by themselves.

use std::collections::HashMap;

use super::logged::Logged;

/// An estimator as terms whose sums have a quotient, so that all are resampled in one way.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// One a row, or a slate.
    pub top: Vec<f64>,
    /// What their sum is divided by, one a row; 1 each where there are none.
    pub bottom: Option<Vec<f64>>,
}

impl Terms {
    fn mean(top: impl Iterator<Item = f64>) -> Self {
        Self { top: top.collect(), bottom: None }
    }

    /// The estimate; none where nothing counts.
    pub fn value(&self) -> Option<f64> {
        let bottom = self.bottom.as_ref().map_or(self.top.len() as f64, |bottom| bottom.iter().sum());
        (bottom > 0.0).then(|| self.top.iter().sum::<f64>() / bottom)
    }
}

/// An estimator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Estimator {
    /// `mean w r`: without bias, and as wide as the largest weights make it.
    Ips,
    /// The same with weights of this at most: less wide, with a bias towards 0.
    ClippedIps(f64),
    /// `Σ w r / Σ w`: a little bias for much less width.
    Snips,
    /// `mean Σ_a π r̂`: as good as the model.
    Dm,
    /// The model, and what it missed, weighed.
    Dr,
    /// The same, where weights above this leave the model alone.
    SwitchDr(f64),
    /// IPS over what describes actions.
    Mips,
    /// The mean of rows where the policy, which has no chance in it, does what the log did; of uniform logs.
    Replay,
}

impl Estimator {
    /// Those that a log has the columns for.
    pub fn usual(logged: &Logged, clip: f64, switch: f64) -> Vec<Self> {
        let mut all = vec![Self::Ips, Self::ClippedIps(clip), Self::Snips];
        if logged.model.is_some() {
            all.extend([Self::Dm, Self::Dr, Self::SwitchDr(switch)]);
        }
        if logged.embedding.is_some() || logged.marginal.is_some() {
            all.push(Self::Mips);
        }
        let first = logged.propensity.first().copied().unwrap_or(1.0);
        let uniform = logged.propensity.iter().all(|mu| (mu - first).abs() < 1e-9);
        if uniform && logged.target.iter().all(|pi| *pi == 0.0 || *pi == 1.0) {
            all.push(Self::Replay);
        }
        all
    }

    /// Its name.
    pub fn name(self) -> String {
        match self {
            Self::Ips => "ips".into(),
            Self::ClippedIps(most) => format!("ips clipped at {most}"),
            Self::Snips => "snips".into(),
            Self::Dm => "dm".into(),
            Self::Dr => "dr".into(),
            Self::SwitchDr(most) => format!("switch-dr at {most}"),
            Self::Mips => "mips".into(),
            Self::Replay => "replay".into(),
        }
    }

    /// Its terms, from rows and their weights.
    pub fn terms(self, logged: &Logged, weights: &[f64]) -> Terms {
        let rewards = || logged.reward.iter();
        let weighed = || weights.iter().zip(rewards());
        let model = || logged.model.iter().flat_map(|m| m.policy.iter().zip(&m.logged));
        match self {
            Self::Ips => Terms::mean(weighed().map(|(w, r)| w * r)),
            Self::ClippedIps(most) => Terms::mean(weighed().map(|(w, r)| w.min(most) * r)),
            Self::Snips => Terms { top: weighed().map(|(w, r)| w * r).collect(), bottom: Some(weights.to_vec()) },
            Self::Dm => Terms::mean(model().map(|(policy, _)| *policy)),
            Self::Dr => Terms::mean(model().zip(weighed()).map(|((policy, own), (w, r))| policy + w * (r - own))),
            Self::SwitchDr(most) => Terms::mean(
                model()
                    .zip(weighed())
                    .map(|((policy, own), (w, r))| policy + if *w <= most { w * (r - own) } else { 0.0 }),
            ),
            Self::Mips => {
                let marginal = logged.marginal.clone().unwrap_or_else(|| marginal(logged, weights));
                Terms::mean(marginal.into_iter().zip(rewards()).map(|(w, r)| w * r))
            }
            Self::Replay => Terms {
                top: logged.target.iter().zip(rewards()).map(|(pi, r)| pi * r).collect(),
                bottom: Some(logged.target.clone()),
            },
        }
    }
}

/// `E_μ[w | e]` by the mean weight of the rows with each embedding.
fn marginal(logged: &Logged, weights: &[f64]) -> Vec<f64> {
    let Some(embedding) = &logged.embedding else { return weights.to_vec() };
    let mut sums: HashMap<u64, (f64, f64)> = HashMap::new();
    for (e, w) in embedding.iter().zip(weights) {
        let sum = sums.entry(*e).or_default();
        *sum = (sum.0 + w, sum.1 + 1.0);
    }
    embedding.iter().map(|e| sums.get(e).map_or(0.0, |(sum, count)| sum / count)).collect()
}
