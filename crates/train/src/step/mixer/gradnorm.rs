//! Weights that keep gradients of like size, larger for tasks that learn slowly (Chen et al., ICML 2018).

use super::{Mixed, Mixer, MixerState, Pass, Shares, SmallAdam};

/// GradNorm: `Σ |G_k - Ḡ r_k^α|` is brought down by the weights, of which `dG_k/dw_k = G_k/w_k`: no gradient of a gradient is
/// needed.
#[derive(Debug)]
pub(super) struct GradNorm {
    weights: Vec<f64>,
    alpha: f64,
    rate: f64,
    first_steps: u64,
    /// What the weights of the config are multiplied by; their sum is the number of tasks.
    shares: Vec<f64>,
    adam: SmallAdam,
    /// The sums of each task's first losses, and of how many steps they are.
    first: Vec<f64>,
    seen: Vec<f64>,
    steps: u64,
}

/// The least that a task weighs.
const LEAST: f64 = 1e-3;

/// The gradient of the shares: which way each task's length is from where it should be, times the length of its gradient.
fn towards(shares: &[f64], lengths: &[f64], left: &[f64], alpha: f64) -> Vec<f64> {
    let now: Vec<f64> = shares.iter().zip(lengths).map(|(share, length)| share * length).collect();
    let mean = now.iter().sum::<f64>() / now.len() as f64;
    let middle = left.iter().sum::<f64>() / left.len() as f64;
    let of = |((now, length), left): ((&f64, &f64), &f64)| {
        let off = now - mean * (left / middle.max(1e-12)).powf(alpha);
        if off.abs() <= 1e-6 * mean { 0.0 } else { off.signum() * length }
    };
    now.iter().zip(lengths).zip(left).map(of).collect()
}

impl GradNorm {
    pub(super) fn new(weights: Vec<f64>, alpha: f64, rate: f64, first_steps: u64) -> Self {
        let count = weights.len();
        let (shares, adam) = (vec![1.0; count], SmallAdam::new(count));
        let (first, seen) = (vec![0.0; count], vec![0.0; count]);
        Self { weights, alpha, rate, first_steps, shares, adam, first, seen, steps: 0 }
    }

    /// Changes the shares of the tasks that taught something.
    fn learn(&mut self, teaching: &[usize], lengths: &[f64], losses: &[f64]) {
        let start = |task: usize| (self.first[task] / self.seen[task].max(1.0)).max(1e-12);
        let left: Vec<f64> = teaching.iter().zip(losses).map(|(task, loss)| loss / start(*task)).collect();
        let own: Vec<f64> = teaching.iter().map(|task| self.shares[*task]).collect();
        let mut gradient = vec![0.0; self.shares.len()];
        for (task, slope) in teaching.iter().zip(towards(&own, lengths, &left, self.alpha)) {
            gradient[*task] = slope;
        }
        self.adam.step(&mut self.shares, &gradient, self.rate);
        self.shares.iter_mut().for_each(|share| *share = share.max(LEAST));
        let (sum, count) = (self.shares.iter().sum::<f64>(), self.shares.len() as f64);
        self.shares.iter_mut().for_each(|share| *share *= count / sum);
    }
}

impl Mixer for GradNorm {
    fn gradients(&mut self, pass: Pass<'_>) -> Mixed {
        let (teaching, own_memory, model, gathered) = (pass.teaching(), pass.own_memory(), pass.model, pass.gathered);
        let losses = pass.read(&teaching, own_memory);
        self.steps += 1;
        for (task, loss) in teaching.iter().zip(&losses) {
            if self.seen[*task] < self.first_steps as f64 {
                self.first[*task] += loss;
                self.seen[*task] += 1.0;
            }
        }
        // Weights stay until it is known where every task started.
        if self.seen.iter().any(|seen| *seen < self.first_steps as f64) || teaching.len() < 2 {
            let weights: Vec<f64> = self.shares.iter().zip(&self.weights).map(|(share, w)| share * w).collect();
            return pass.walk(&weights);
        }
        let (each, statistics) = pass.each(&teaching, &self.weights);
        let gram = each.gram(model, own_memory);
        let lengths: Vec<f64> = (0..teaching.len()).map(|task| gram[task][task].max(0.0).sqrt()).collect();
        let now: Vec<f64> = teaching.iter().map(|task| self.shares[*task]).collect();
        self.learn(&teaching, &lengths, &losses);
        let walked = each.mixed(model, gathered, &Shares { shared: now.clone(), own: now });
        Mixed { walked, statistics: Some(statistics) }
    }

    fn weights(&self) -> Option<Vec<f64>> {
        Some(self.shares.iter().zip(&self.weights).map(|(share, weight)| share * weight).collect())
    }

    fn state(&self) -> Option<MixerState> {
        let adam = vec![self.adam.steps as f64];
        let values = [
            ("shares", self.shares.clone()),
            ("first_moments", self.adam.first.clone()),
            ("second_moments", self.adam.second.clone()),
            ("adam_steps", adam),
            ("first_losses", self.first.clone()),
            ("first_steps", self.seen.clone()),
        ];
        let values = values.into_iter().map(|(name, values)| (name.to_string(), values)).collect();
        Some(MixerState { steps: self.steps, values })
    }

    fn restore(&mut self, state: &MixerState) -> Result<(), String> {
        let count = self.weights.len();
        self.shares = state.take("shares", count)?;
        self.first = state.take("first_losses", count)?;
        self.seen = state.take("first_steps", count)?;
        let steps = state.take("adam_steps", 1)?[0] as u64;
        let (first, second) = (state.take("first_moments", count)?, state.take("second_moments", count)?);
        (self.adam, self.steps) = (SmallAdam { first, second, steps }, state.steps);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_tasks_stay_equal_and_long_gradients_lose_weight() {
        let mut mixer = GradNorm::new(vec![1.0, 1.0], 1.5, 0.025, 1);
        (mixer.first, mixer.seen) = (vec![2.0, 2.0], vec![1.0, 1.0]);
        (0..100).for_each(|_| mixer.learn(&[0, 1], &[3.0, 3.0], &[1.0, 1.0]));
        assert_eq!(mixer.shares, [1.0, 1.0]);
        (0..100).for_each(|_| mixer.learn(&[0, 1], &[4.0, 1.0], &[1.0, 1.0]));
        let [long, short] = mixer.shares[..] else { panic!() };
        assert!((long + short - 2.0).abs() < 1e-9 && (long * 4.0 - short).abs() < 0.2, "{:?}", mixer.shares);
        // Of gradients alike the task whose loss fell less gains.
        mixer.shares = vec![1.0, 1.0];
        (0..20).for_each(|_| mixer.learn(&[0, 1], &[1.0, 1.0], &[0.2, 1.8]));
        assert!(mixer.shares[1] > 1.1, "{:?}", mixer.shares);
    }
}
