//! Mixtures of gradients that are as short as can be: no task is made worse to make another better.

use super::solve::{Gram, shortest, with_floors};
use super::{Mixed, Mixer, MixerState, Pass, Shares};
use crate::experiment::{Normalise, Over};

/// MGDA (Sener & Koltun, NeurIPS 2018) over what tasks share; what is a task's own gets its plain gradient.
#[derive(Debug)]
pub(super) struct Mgda {
    weights: Vec<f64>,
    normalise: Normalise,
    over: Over,
    latest: Vec<f64>,
}

/// The products of gradients that were divided by `by` before.
fn divided(gram: &Gram, by: &[f64]) -> Gram {
    let row = |(row, a): (&Vec<f64>, &f64)| row.iter().zip(by).map(|(m, b)| m / (a * b)).collect();
    gram.iter().zip(by).map(row).collect()
}

/// What each gradient is multiplied by, 1 in all: the shortest mixture of the gradients divided by `by` is a mixture of the
/// gradients as they are, each by its share over what it was divided by.
fn shares(gram: &Gram, by: &[f64]) -> Vec<f64> {
    let of_divided = shortest(&divided(gram, by));
    let own: Vec<f64> = of_divided.iter().zip(by).map(|(share, by)| share / by).collect();
    let sum = own.iter().sum::<f64>();
    own.into_iter().map(|share| share / sum).collect()
}

impl Mgda {
    pub(super) fn new(weights: Vec<f64>, normalise: Normalise, over: Over) -> Self {
        let latest = vec![1.0 / weights.len() as f64; weights.len()];
        Self { weights, normalise, over, latest }
    }
}

impl Mixer for Mgda {
    fn gradients(&mut self, pass: Pass<'_>) -> Mixed {
        let (teaching, own_memory, model, gathered) = (pass.teaching(), pass.own_memory(), pass.model, pass.gathered);
        if teaching.len() < 2 {
            return pass.walk(&self.weights);
        }
        let losses: Vec<f64> = match self.normalise {
            Normalise::Loss | Normalise::LossL2 => {
                pass.read(&teaching, own_memory).into_iter().map(|loss| loss.abs().max(1e-12)).collect()
            }
            Normalise::None | Normalise::L2 => vec![1.0; teaching.len()],
        };
        let (each, statistics) = pass.each(&teaching, &self.weights);
        let gram = each.gram(model, own_memory);
        let length = |task: usize| match self.normalise {
            Normalise::L2 | Normalise::LossL2 => gram[task][task].max(1e-24).sqrt(),
            Normalise::None | Normalise::Loss => 1.0,
        };
        let by: Vec<f64> = losses.iter().enumerate().map(|(task, loss)| loss * length(task)).collect();
        let shared = shares(&gram, &by);
        self.latest = vec![0.0; self.weights.len()];
        teaching.iter().zip(&shared).for_each(|(task, share)| self.latest[*task] = *share);
        let walked = each.mixed(model, gathered, &Shares { shared, own: vec![1.0; teaching.len()] });
        Mixed { walked, statistics: Some(statistics) }
    }

    fn mixes_at_cut(&self) -> bool {
        self.over == Over::Cut
    }

    fn weights(&self) -> Option<Vec<f64>> {
        Some(self.latest.iter().zip(&self.weights).map(|(share, weight)| share * weight).collect())
    }
}

/// PE-LTR (Lin et al., RecSys 2019): losses are weighed by shares that are solved for now and then.
#[derive(Debug)]
pub(super) struct PeLtr {
    weights: Vec<f64>,
    floors: Vec<f64>,
    every: u64,
    over: Over,
    shares: Vec<f64>,
    steps: u64,
    /// Whether shares are to be solved for at the next batch that teaches all.
    due: bool,
}

impl PeLtr {
    pub(super) fn new(weights: Vec<f64>, floors: Vec<f64>, every: u64, over: Over) -> Self {
        let left = (1.0 - floors.iter().sum::<f64>()).max(0.0) / weights.len() as f64;
        let shares = floors.iter().map(|floor| floor + left).collect();
        Self { weights, floors, every, over, shares, steps: 0, due: true }
    }

    fn now(&self) -> Vec<f64> {
        self.shares.iter().zip(&self.weights).map(|(share, weight)| share * weight).collect()
    }
}

impl Mixer for PeLtr {
    fn gradients(&mut self, pass: Pass<'_>) -> Mixed {
        self.due |= self.steps.is_multiple_of(self.every);
        self.steps += 1;
        let teaching = pass.teaching();
        // Shares are of all tasks: they wait for a batch that teaches all.
        if !self.due || teaching.len() < self.weights.len() {
            let weights = self.now();
            return pass.walk(&weights);
        }
        let (own_memory, model, gathered) = (pass.own_memory(), pass.model, pass.gathered);
        let (each, statistics) = pass.each(&teaching, &self.weights);
        self.due = false;
        self.shares = with_floors(&each.gram(model, own_memory), &self.floors);
        let walked = each.mixed(model, gathered, &Shares { shared: self.shares.clone(), own: self.shares.clone() });
        Mixed { walked, statistics: Some(statistics) }
    }

    fn mixes_at_cut(&self) -> bool {
        // In between nothing is compared.
        self.over == Over::Cut && (self.due || self.steps.is_multiple_of(self.every))
    }

    fn weights(&self) -> Option<Vec<f64>> {
        Some(self.now())
    }

    fn state(&self) -> Option<MixerState> {
        let values = std::collections::BTreeMap::from([
            ("shares".to_string(), self.shares.clone()),
            ("due".to_string(), vec![f64::from(u8::from(self.due))]),
        ]);
        Some(MixerState { steps: self.steps, values })
    }

    fn restore(&mut self, state: &MixerState) -> Result<(), String> {
        (self.shares, self.steps) = (state.take("shares", self.weights.len())?, state.steps);
        self.due = state.take("due", 1)?[0] != 0.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gradients, their products, and what each is divided by.
    fn opposed(by: impl Fn(&[f64; 2]) -> f64) -> Vec<f64> {
        let gradients = [[1.0, 0.0], [-90.0, 40.0]];
        let inner = |a: &[f64; 2], b: &[f64; 2]| a[0] * b[0] + a[1] * b[1];
        let gram: Gram = gradients.iter().map(|a| gradients.iter().map(|b| inner(a, b)).collect()).collect();
        let by: Vec<f64> = gradients.iter().map(by).collect();
        let shares = shares(&gram, &by);
        let mixed: [f64; 2] = std::array::from_fn(|at| shares[0] * gradients[0][at] + shares[1] * gradients[1][at]);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        gradients.iter().zip(by).map(|(g, by)| inner(&mixed, g) / by).collect()
    }

    #[test]
    fn no_task_opposes_the_mixture_however_gradients_are_divided() {
        let length = |g: &[f64; 2]| (g[0] * g[0] + g[1] * g[1]).sqrt();
        for along in [opposed(|_| 1.0), opposed(length), opposed(|g| g[1] + 0.5), opposed(|g| length(g) * (g[1] + 0.5))]
        {
            assert!(along.iter().all(|x| *x > 0.0), "{along:?}");
            // Inside the simplex all divided gradients gain alike.
            assert!((along[0] - along[1]).abs() < 1e-9 * along[0].abs().max(1.0), "{along:?}");
        }
    }
}
