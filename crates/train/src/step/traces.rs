//! How much of each expert the gates take, over steps: an expert that is never taken has died.

use burn::tensor::Tensor;

/// Means over rows and steps, on the device until they are asked for.
#[derive(Default)]
pub(crate) struct GateTraces {
    /// Of each gate: its name, the sum of mean shares `[E]`, the sum of mean entropies `[1]`.
    sums: Vec<(String, Tensor<1>, Tensor<1>)>,
    steps: u64,
}

/// What one gate did.
#[derive(Clone, Debug, PartialEq)]
pub struct GateUse {
    /// Its name.
    pub name: String,
    /// The mean share of each expert.
    pub shares: Vec<f64>,
    /// The mean entropy of a row's shares, as a part of what it is at most, `ln E`: 1 takes all alike, 0 one alone.
    pub entropy: f64,
}

impl GateUse {
    /// The experts that get less than a hundredth of an equal share, from 1.
    pub fn dead(&self) -> Vec<usize> {
        let least = 0.01 / self.shares.len() as f64;
        (1..=self.shares.len()).filter(|expert| self.shares[expert - 1] < least).collect()
    }
}

impl GateTraces {
    /// Whether no step was looked at yet since the last time: the first of an epoch is.
    pub(super) fn is_new(&self) -> bool {
        self.steps == 0
    }

    /// Adds the shares `[B, E]` of a step.
    pub(super) fn add(&mut self, gates: Vec<(String, Tensor<2>)>) {
        let first = self.sums.is_empty();
        self.steps += u64::from(!gates.is_empty());
        for (at, (name, shares)) in gates.into_iter().enumerate() {
            let entropy = (shares.clone() * (shares.clone() + 1e-12).log()).sum_dim(1).mean().neg();
            let mean: Tensor<1> = shares.mean_dim(0).flatten(0, 1);
            match first {
                true => self.sums.push((name, mean, entropy)),
                false => {
                    let own = &mut self.sums[at];
                    (own.1, own.2) = (own.1.clone() + mean, own.2.clone() + entropy);
                }
            }
        }
    }

    /// What the gates did since they were last asked.
    pub(super) fn take(&mut self) -> Vec<GateUse> {
        let steps = std::mem::take(&mut self.steps) as f64;
        let read = |t: Tensor<1>| t.into_data().try_to_vec::<f32>().unwrap_or_default();
        let of = |(name, shares, entropy): (String, Tensor<1>, Tensor<1>)| {
            let shares: Vec<f64> = read(shares).iter().map(|s| f64::from(*s) / steps).collect();
            let most = (shares.len() as f64).ln().max(1e-12);
            let entropy = read(entropy).first().map_or(0.0, |e| f64::from(*e) / steps / most);
            GateUse { name, shares, entropy }
        };
        std::mem::take(&mut self.sums).into_iter().map(of).collect()
    }
}
