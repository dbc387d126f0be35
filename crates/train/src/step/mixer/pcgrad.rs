//! Gradients without what opposes another task's (Yu et al., NeurIPS 2020).

use burnrec_features::stream_seed;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::solve::surgery;
use super::{Mixed, Mixer, MixerState, Pass, Shares};

/// PCGrad over what tasks share; what is a task's own gets its plain gradient.
#[derive(Debug)]
pub(super) struct PcGrad {
    weights: Vec<f64>,
    seed: u64,
    steps: u64,
}

impl PcGrad {
    pub(super) fn new(weights: Vec<f64>, seed: u64) -> Self {
        Self { weights, seed, steps: 0 }
    }
}

impl Mixer for PcGrad {
    fn gradients(&mut self, pass: Pass<'_>) -> Mixed {
        self.steps += 1;
        let (teaching, own_memory, model) = (pass.teaching(), pass.own_memory(), pass.model);
        if teaching.len() < 2 {
            return pass.walk(&self.weights);
        }
        let (each, statistics) = pass.each(&teaching, &self.weights);
        let mut rng = ChaCha8Rng::seed_from_u64(stream_seed(self.seed, "mixer", self.steps));
        let shared = surgery(&each.gram(model, own_memory), &mut rng);
        let walked = each.mixed(model, &Shares { shared, own: vec![1.0; teaching.len()] });
        Mixed { walked, statistics: Some(statistics) }
    }

    fn state(&self) -> Option<MixerState> {
        Some(MixerState { steps: self.steps, ..MixerState::default() })
    }

    fn restore(&mut self, state: &MixerState) -> Result<(), String> {
        self.steps = state.steps;
        Ok(())
    }
}
