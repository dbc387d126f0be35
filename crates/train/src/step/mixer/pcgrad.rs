//! Gradients without what opposes another task's (Yu et al., NeurIPS 2020).

use burnrec_features::stream_seed;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::solve::surgery;
use super::{Mixed, Mixer, MixerState, Pass, Shares};
use crate::experiment::Over;

/// PCGrad over what tasks share; what is a task's own gets its plain gradient.
#[derive(Debug)]
pub(super) struct PcGrad {
    weights: Vec<f64>,
    seed: u64,
    steps: u64,
    over: Over,
}

impl PcGrad {
    pub(super) fn new(weights: Vec<f64>, seed: u64, over: Over) -> Self {
        Self { weights, seed, steps: 0, over }
    }
}

impl Mixer for PcGrad {
    fn gradients(&mut self, pass: Pass<'_>) -> Mixed {
        self.steps += 1;
        let (teaching, own_memory, model, gathered) = (pass.teaching(), pass.own_memory(), pass.model, pass.gathered);
        if teaching.len() < 2 {
            return pass.walk(&self.weights);
        }
        let (each, statistics) = pass.each(&teaching, &self.weights);
        let mut rng = ChaCha8Rng::seed_from_u64(stream_seed(self.seed, "mixer", self.steps));
        let shared = surgery(&each.gram(model, own_memory), &mut rng);
        let walked = each.mixed(model, gathered, &Shares { shared, own: vec![1.0; teaching.len()] });
        Mixed { walked, statistics: Some(statistics) }
    }

    fn mixes_at_cut(&self) -> bool {
        self.over == Over::Cut
    }

    fn state(&self) -> Option<MixerState> {
        Some(MixerState { steps: self.steps, ..MixerState::default() })
    }

    fn restore(&mut self, state: &MixerState) -> Result<(), String> {
        self.steps = state.steps;
        Ok(())
    }
}
