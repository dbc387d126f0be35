//! Weights by how fast losses fall from epoch to epoch (Liu, Johns & Davison, CVPR 2019).

use burn::tensor::Tensor;

use super::{Mixed, Mixer, MixerState, Pass};

/// Dynamic weight average.
#[derive(Debug)]
pub(super) struct Dwa {
    weights: Vec<f64>,
    temperature: f64,
    /// The sums of this epoch's losses, on the device; on the host until there is one.
    there: Vec<Tensor<1>>,
    sums: Vec<f32>,
    steps: u64,
    /// Mean losses of the last two epochs, the latest first.
    means: Vec<Vec<f64>>,
}

/// `K softmax(r / T)` of how much of each loss was left; 1 each before there are two epochs.
fn shares(means: &[Vec<f64>], tasks: usize, temperature: f64) -> Vec<f64> {
    let [latest, before] = means else { return vec![1.0; tasks] };
    let left: Vec<f64> = latest.iter().zip(before).map(|(l, b)| l / b.max(1e-12) / temperature).collect();
    let most = left.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = left.iter().map(|x| (x - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|p| p / sum * tasks as f64).collect()
}

impl Dwa {
    pub(super) fn new(weights: Vec<f64>, temperature: f64) -> Self {
        let sums = vec![0.0; weights.len()];
        Self { weights, temperature, there: Vec::new(), sums, steps: 0, means: Vec::new() }
    }

    fn now(&self) -> Vec<f64> {
        let own = shares(&self.means, self.weights.len(), self.temperature);
        own.iter().zip(&self.weights).map(|(own, weight)| own * weight).collect()
    }

    fn read(&self) -> Vec<f64> {
        match self.there.is_empty() {
            true => self.sums.iter().map(|sum| f64::from(*sum)).collect(),
            false => self.there.iter().map(|sum| f64::from(sum.clone().into_scalar::<f32>())).collect(),
        }
    }
}

impl Mixer for Dwa {
    fn gradients(&mut self, pass: Pass<'_>) -> Mixed {
        let losses: Vec<Tensor<1>> = pass.passed.losses.iter().map(|loss| loss.clone().inner()).collect();
        if self.there.is_empty() {
            let kept = |sum: &f32| Tensor::from_floats([*sum], &losses[0].device());
            self.there = self.sums.iter().map(kept).collect();
        }
        self.there = std::mem::take(&mut self.there).into_iter().zip(losses).map(|(sum, own)| sum + own).collect();
        self.steps += 1;
        let weights = self.now();
        pass.walk(&weights)
    }

    fn end_epoch(&mut self) {
        if self.steps == 0 {
            return;
        }
        let mean = self.read().iter().map(|sum| sum / self.steps as f64).collect();
        self.means.insert(0, mean);
        self.means.truncate(2);
        (self.there, self.sums, self.steps) = (Vec::new(), vec![0.0; self.weights.len()], 0);
    }

    fn weights(&self) -> Option<Vec<f64>> {
        Some(self.now())
    }

    fn state(&self) -> Option<MixerState> {
        let mut values = std::collections::BTreeMap::from([("sums".to_string(), self.read())]);
        for (name, mean) in ["latest", "before"].iter().zip(&self.means) {
            values.insert((*name).to_string(), mean.clone());
        }
        Some(MixerState { steps: self.steps, values })
    }

    fn restore(&mut self, state: &MixerState) -> Result<(), String> {
        let count = self.weights.len();
        self.sums = state.take("sums", count)?.iter().map(|sum| *sum as f32).collect();
        (self.there, self.steps) = (Vec::new(), state.steps);
        let known = ["latest", "before"].into_iter().filter(|name| state.values.contains_key(*name));
        self.means = known.map(|name| state.take(name, count)).collect::<Result<_, _>>()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fell_less_weighs_more() {
        let found = shares(&[vec![2.0, 1.0], vec![2.0, 2.0]], 2, 2.0);
        assert!((found[0] - 1.12435).abs() < 1e-5 && (found[1] - 0.87565).abs() < 1e-5, "{found:?}");
        assert_eq!(shares(&[vec![2.0, 1.0]], 2, 2.0), [1.0, 1.0]);
    }
}
