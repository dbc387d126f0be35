//! Weights by learned uncertainty (Kendall et al., CVPR 2018).

use std::sync::Arc;

use burn::tensor::Tensor;
use burnrec_backend::traffic;
use burnrec_models::TaskKind;

use super::{Mixed, Mixer, MixerState, Pass};
use crate::task::Task;

/// s of a task lies between minus and plus this: the weight of a loss that goes to 0 would grow without end.
const FARTHEST: f64 = 5.0;

/// Learns `s_k = ln σ_k²` beside the model, from 0. It lives on the device, so that no step waits for a loss.
#[derive(Debug)]
pub(super) struct Uncertainty {
    weights: Vec<f64>,
    /// What a loss is multiplied by: 1 for classes, 1/2 for numbers.
    by_kind: Vec<f64>,
    rate: f64,
    /// s and the two moments of its gradient, `[K]` each; on the host until there is a device.
    values: [Vec<f32>; 3],
    there: Option<[Tensor<1>; 3]>,
    /// Batches that taught each task, by which its moments are corrected.
    taught: Vec<f64>,
    steps: u64,
}

impl Uncertainty {
    pub(super) fn new(tasks: &Arc<[Task]>, weights: Vec<f64>, rate: f64, unified: bool) -> Self {
        let half = |task: &Task| match task.kind {
            TaskKind::Binary | TaskKind::MultiClass if !unified => 1.0,
            _ => 0.5,
        };
        let by_kind = tasks.iter().map(half).collect();
        let zeros = vec![0.0; weights.len()];
        let taught = vec![0.0; weights.len()];
        Self { weights, by_kind, rate, values: [zeros.clone(), zeros.clone(), zeros], there: None, taught, steps: 0 }
    }

    fn read(&self) -> [Vec<f32>; 3] {
        match &self.there {
            Some(there) => there.clone().map(traffic::read),
            None => self.values.clone(),
        }
    }
}

impl Mixer for Uncertainty {
    fn gradients(&mut self, mut pass: Pass<'_>) -> Mixed {
        let device = pass.gathered.leaves[0].device();
        let plain = device.clone().inner();
        let made = || self.values.clone().map(|v| Tensor::<1>::from_floats(v.as_slice(), &plain));
        let [s, first, second] = self.there.take().unwrap_or_else(made);
        let leaf = Tensor::<1>::from_inner(s.clone()).require_grad();
        let losses = std::mem::take(&mut pass.passed.losses);
        let count = losses.len();
        let teaches = pass.gathered.teaches.clone();
        let weighed: Vec<Tensor<1>> = losses
            .into_iter()
            .enumerate()
            .map(|(task, loss)| {
                let own = leaf.clone().narrow(0, task, 1);
                let precision = own.clone().neg().exp();
                // A task of which nothing is known says nothing of how uncertain it is.
                let half = if teaches[task] { 0.5 } else { 0.0 };
                precision * loss * (self.by_kind[task] * self.weights[task]) + own * half
            })
            .collect();
        pass.passed.losses = weighed;
        let (mixed, gradient) = pass.walk_with(&vec![1.0; count], &leaf);
        self.steps += 1;
        self.taught.iter_mut().zip(&teaches).for_each(|(count, teaches)| *count += f64::from(u8::from(*teaches)));
        let corrected = |moment: Tensor<1>, decay: f64| {
            let by: Vec<f32> = self.taught.iter().map(|count| (1.0 - decay.powf(count.max(1.0))) as f32).collect();
            moment / Tensor::<1>::from_floats(by.as_slice(), &plain)
        };
        let gradient = gradient.unwrap_or_else(|| s.zeros_like());
        let known: Vec<f32> = teaches.iter().map(|teaches| f32::from(u8::from(*teaches))).collect();
        let known = Tensor::<1>::from_floats(known.as_slice(), &plain);
        // What rests keeps its moments too.
        let moved = |old: Tensor<1>, new: Tensor<1>| old.clone() + (new - old) * known.clone();
        let first = moved(first.clone(), first * 0.9 + gradient.clone() * 0.1);
        let second = moved(second.clone(), second * 0.999 + gradient.clone() * gradient * 0.001);
        let (m, v) = (corrected(first.clone(), 0.9), corrected(second.clone(), 0.999));
        let step = m / (v.sqrt() + 1e-8) * self.rate * known.clone();
        let s = (s - step).clamp(-FARTHEST, FARTHEST);
        self.there = Some([s, first, second]);
        mixed
    }

    fn weights(&self) -> Option<Vec<f64>> {
        let [s, ..] = self.read();
        let weight = |(s, half): (&f32, &f64)| f64::from((-s).exp()) * half;
        Some(s.iter().zip(&self.by_kind).map(weight).zip(&self.weights).map(|(own, weight)| own * weight).collect())
    }

    fn state(&self) -> Option<MixerState> {
        let exact = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
        let named = ["s", "first", "second"].map(String::from).into_iter().zip(self.read().map(exact));
        let taught = [("taught".to_string(), self.taught.clone())];
        Some(MixerState { steps: self.steps, values: named.chain(taught).collect() })
    }

    fn restore(&mut self, state: &MixerState) -> Result<(), String> {
        let count = self.weights.len();
        for (values, name) in self.values.iter_mut().zip(["s", "first", "second"]) {
            *values = state.take(name, count)?.iter().map(|v| *v as f32).collect();
        }
        self.taught = state.take("taught", count)?;
        (self.there, self.steps) = (None, state.steps);
        Ok(())
    }
}
