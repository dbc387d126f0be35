//! The steps of the sparse optimisers: one on one touched row, its gradients summed over the batch before.

use crate::optimizer::{SparseOptimizer, SparseRule, StepContext};

impl SparseOptimizer {
    /// Sets the state of a new row so that the first step starts from its weights.
    pub(crate) fn init_state(&self, weights: &[f32], state: &mut [f32]) {
        let dim = weights.len();
        match self.kind {
            SparseRule::Adagrad | SparseRule::RowwiseAdagrad => state.fill(self.initial_accumulator),
            SparseRule::Ftrl => {
                let curvature = self.beta / self.learning_rate + self.l2;
                for (z, w) in state[..dim].iter_mut().zip(weights) {
                    *z = if *w == 0.0 { 0.0 } else { -w * curvature - w.signum() * self.l1 };
                }
                state[dim..].fill(0.0);
            }
            SparseRule::Rda => {
                state[..dim].fill(0.0);
                state[dim..].copy_from_slice(weights);
            }
            _ => state.fill(0.0),
        }
    }

    /// One step. `skipped` is the number of steps since the row was last touched, this one excluded;
    /// `frequency` the training rows that hold the id. `gradient` is scratch afterwards.
    #[inline(always)]
    pub(crate) fn step(
        &self,
        context: &StepContext,
        weights: &mut [f32],
        state: &mut [f32],
        gradient: &mut [f32],
        skipped: u64,
        frequency: f32,
    ) {
        let dim = weights.len();
        let rate = self.learning_rate * context.rate;
        if self.l21 > 0.0 && skipped > 0 {
            self.group(rate, weights, state, skipped as f32);
        }
        match self.kind {
            SparseRule::Ftrl | SparseRule::Fobos | SparseRule::Rda => {
                gradient.iter_mut().for_each(|g| *g *= context.rows)
            }
            _ => self.regularise(weights, gradient),
        }
        if self.mba_l2 > 0.0 {
            let strength = self.mba_l2 / frequency.max(1.0);
            gradient.iter_mut().zip(weights.iter()).for_each(|(g, w)| *g += strength * w);
        }
        match self.kind {
            SparseRule::Sgd => weights.iter_mut().zip(gradient).for_each(|(w, g)| *w -= rate * *g),
            SparseRule::Adagrad => {
                for ((w, g), a) in weights.iter_mut().zip(gradient.iter()).zip(state) {
                    *a += g * g;
                    *w -= rate * g / (a.sqrt() + self.epsilon);
                }
            }
            SparseRule::RowwiseAdagrad => {
                state[0] += gradient.iter().map(|g| g * g).sum::<f32>() / dim as f32;
                let scale = rate / (state[0].sqrt() + self.epsilon);
                weights.iter_mut().zip(gradient).for_each(|(w, g)| *w -= scale * *g);
            }
            SparseRule::Adam => self.adam(rate * context.correction, weights, state, gradient),
            SparseRule::Ftrl => self.ftrl(weights, state, gradient),
            SparseRule::Fobos => self.fobos(rate, weights, state, gradient, skipped),
            SparseRule::Rda => self.rda(context, weights, state, gradient),
        }
    }

    #[inline(always)]
    fn regularise(&self, weights: &[f32], gradient: &mut [f32]) {
        if self.l2 > 0.0 {
            gradient.iter_mut().zip(weights).for_each(|(g, w)| *g += self.l2 * w);
        }
        if self.l1 > 0.0 {
            let sign = |w: f32| if w == 0.0 { 0.0 } else { w.signum() };
            gradient.iter_mut().zip(weights).for_each(|(g, w)| *g += self.l1 * sign(*w));
        }
    }

    /// What is the same for all rows of a step, from 1.
    pub(crate) fn context(&self, step: u64, rate: f32, rows: f32) -> StepContext {
        let power = |beta: f32| 1.0 - f64::from(beta).powf(step as f64);
        let correction = (power(self.beta_2).sqrt() / power(self.beta_1)) as f32;
        StepContext { step, rate, rows, correction }
    }

    #[inline(always)]
    fn adam(&self, scale: f32, weights: &mut [f32], state: &mut [f32], gradient: &[f32]) {
        let (first, second) = state.split_at_mut(weights.len());
        for (((w, g), m), v) in weights.iter_mut().zip(gradient).zip(first).zip(second) {
            *m = self.beta_1 * *m + (1.0 - self.beta_1) * g;
            *v = self.beta_2 * *v + (1.0 - self.beta_2) * g * g;
            *w -= scale * *m / (v.sqrt() + self.epsilon);
        }
    }

    #[inline(always)]
    fn ftrl(&self, weights: &mut [f32], state: &mut [f32], gradient: &[f32]) {
        let (zs, ns) = state.split_at_mut(weights.len());
        for (((w, g), z), n) in weights.iter_mut().zip(gradient).zip(zs).zip(ns) {
            let squares = *n + g * g;
            let sigma = (squares.sqrt() - n.sqrt()) / self.learning_rate;
            *z += g - sigma * *w;
            *n = squares;
            *w = match z.abs() <= self.l1 {
                true => 0.0,
                false => -(*z - z.signum() * self.l1) / ((self.beta + squares.sqrt()) / self.learning_rate + self.l2),
            };
        }
    }

    #[inline(always)]
    fn fobos(&self, rate: f32, weights: &mut [f32], state: &mut [f32], gradient: &[f32], skipped: u64) {
        let shrink = |w: f32, by: f32| w.signum() * (w.abs() - by).max(0.0);
        for ((w, g), n) in weights.iter_mut().zip(gradient).zip(state.iter_mut()) {
            let resting = rate / (self.beta + n.sqrt());
            let rested =
                shrink(*w, skipped as f32 * resting * self.l1) * (1.0 + resting * self.l2).powf(-(skipped as f32));
            *n += g * g;
            let moving = rate / (self.beta + n.sqrt());
            *w = shrink(rested - moving * g, moving * self.l1) / (1.0 + moving * self.l2);
        }
        if self.l21 > 0.0 {
            self.group(rate, weights, state, 1.0);
        }
    }

    /// Draws the whole row to zero for so many steps: first for those it rested, at the rates it rested at, then for its
    /// own. Its rate is that of the mean accumulator, since the step on a norm with rates of each coordinate has no closed
    /// form; for the same reason rest under L1 and the group penalty together is one after the other.
    #[inline(always)]
    fn group(&self, rate: f32, weights: &mut [f32], state: &[f32], steps: f32) {
        let mean = state.iter().sum::<f32>() / weights.len() as f32;
        let norm = weights.iter().map(|w| w * w).sum::<f32>().sqrt();
        let by = steps * rate / (self.beta + mean.sqrt()) * self.l21;
        let scale = if norm > by { 1.0 - by / norm } else { 0.0 };
        weights.iter_mut().for_each(|w| *w *= scale);
    }

    #[inline(always)]
    fn rda(&self, context: &StepContext, weights: &mut [f32], state: &mut [f32], gradient: &[f32]) {
        let t = context.step as f32;
        let (sums, starts) = state.split_at_mut(weights.len());
        for (((w, g), sum), start) in weights.iter_mut().zip(gradient).zip(sums).zip(starts) {
            *sum += g;
            let mean = *sum / t;
            let beyond = mean.signum() * (mean.abs() - self.l1).max(0.0);
            *w = *start - t.sqrt() * self.learning_rate * beyond / (1.0 + self.l2 * t.sqrt() * self.learning_rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs gradients through a one-dimensional row and returns the weight after each.
    fn trace(optimizer: &SparseOptimizer, start: f32, gradients: &[f32]) -> Vec<f32> {
        let mut state = vec![0.0; optimizer.state_floats(1)];
        let mut weights = [start];
        optimizer.init_state(&weights, &mut state);
        let step = |(i, g): (usize, &f32)| {
            let context = optimizer.context(i as u64 + 1, 1.0, 1.0);
            optimizer.step(&context, &mut weights, &mut state, &mut [*g], 0, 1.0);
            weights[0]
        };
        gradients.iter().enumerate().map(step).collect()
    }

    fn near(found: &[f32], expected: &[f32]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
    }

    #[test]
    fn the_group_penalty_draws_a_whole_row_to_zero() {
        let optimizer = SparseOptimizer { l21: 0.5, beta: 1.0, ..SparseOptimizer::new(SparseRule::Fobos, 1.0) };
        let (mut weights, mut state) = (vec![3.0, -4.0], vec![0.0, 0.0]);
        // Rate 1, norm 5, two steps of rest: 5 - 3 · 0.5.
        optimizer.step(&optimizer.context(1, 1.0, 1.0), &mut weights, &mut state, &mut [0.0, 0.0], 2, 1.0);
        assert!((weights[0] - 2.1).abs() < 1e-6 && (weights[1] + 2.8).abs() < 1e-6, "{weights:?}");
        // A row that rested is drawn to zero before its gradient, not after: the step to come is its own alone.
        let (mut rested, mut squares) = (vec![0.5, 0.0], vec![0.0, 0.0]);
        optimizer.step(&optimizer.context(1, 1.0, 1.0), &mut rested, &mut squares, &mut [-3.0, 0.0], 100, 1.0);
        // From zero: rates 1/(1 + 3) for the coordinate, 1/(1 + √4.5) for the group.
        let expected = 0.75 - 0.5 / (1.0 + 4.5f32.sqrt());
        assert!((rested[0] - expected).abs() < 1e-6, "{rested:?} {expected}");
        let strong = SparseOptimizer { l21: 5.0, ..optimizer };
        strong.step(&strong.context(1, 1.0, 1.0), &mut weights, &mut state, &mut [0.0, 0.0], 0, 1.0);
        assert_eq!(weights, [0.0, 0.0]);
    }

    #[test]
    fn ftrl_follows_the_trace_of_the_paper_s_algorithm() {
        let optimizer = SparseOptimizer { l1: 1.0, ..SparseOptimizer::new(SparseRule::Ftrl, 0.1) };
        near(&trace(&optimizer, 0.0, &[0.5, 0.8, -0.4]), &[0.0, -0.015_436_88, 0.0]);
    }

    #[test]
    fn ftrl_without_penalties_is_gradient_descent_with_coordinate_rates() {
        let optimizer = SparseOptimizer::new(SparseRule::Ftrl, 0.1);
        near(
            &trace(&optimizer, 0.0, &[0.5, 0.8, -0.4, 0.1]),
            &[-0.033_333_3, -0.074_498_3, -0.054_742_3, -0.059_669_4],
        );
        // The same from another start, by the rule w -= α g / (β + √Σg²).
        let (mut w, mut n) = (0.3f32, 0.0f32);
        let expected: Vec<f32> = [0.5f32, -0.2]
            .iter()
            .map(|g| {
                n += g * g;
                w -= 0.1 * g / (1.0 + n.sqrt());
                w
            })
            .collect();
        near(&trace(&optimizer, 0.3, &[0.5, -0.2]), &expected);
    }

    #[test]
    fn fobos_without_penalties_is_the_same_descent_and_shrinks_with_l1() {
        let plain = SparseOptimizer::new(SparseRule::Fobos, 0.1);
        near(&trace(&plain, 0.0, &[0.5, 0.8, -0.4, 0.1]), &[-0.033_333_3, -0.074_498_3, -0.054_742_3, -0.059_669_4]);
        let sparse = SparseOptimizer { l1: 0.4, ..plain };
        // η = .1 / 1.5: -.0333333 + .0266667 = -.0066667.
        near(&trace(&sparse, 0.0, &[0.5]), &[-0.006_666_7]);
    }

    #[test]
    fn fobos_applies_skipped_shrinkage_when_a_row_is_next_touched() {
        let optimizer = SparseOptimizer { l1: 0.3, l2: 0.1, ..SparseOptimizer::new(SparseRule::Fobos, 0.1) };
        let run_with = |optimizer: &SparseOptimizer, lazy: bool| {
            let (mut w, mut n) = ([0.5f32], [0.4f32]);
            let mut step = |g: f32, skipped| {
                let context = optimizer.context(1, 1.0, 1.0);
                optimizer.step(&context, &mut w, &mut n, &mut [g], skipped, 1.0);
            };
            if !lazy {
                (0..3).for_each(|_| step(0.0, 0));
            }
            step(0.7, if lazy { 3 } else { 0 });
            w[0]
        };
        let run = |lazy| run_with(&optimizer, lazy);
        assert!((run(true) - run(false)).abs() < 2e-3, "{} {}", run(true), run(false));
        // Each strength counts in the rest, and not in the step alone.
        for less in [SparseOptimizer { l2: 0.0, ..optimizer.clone() }, SparseOptimizer { l1: 0.0, ..optimizer.clone() }]
        {
            assert!((run_with(&less, true) - run(true)).abs() > 5e-3, "{} {}", run_with(&less, true), run(true));
        }
    }

    #[test]
    fn rda_is_zero_inside_the_threshold_and_closed_form_outside() {
        let optimizer = SparseOptimizer { l1: 0.5, ..SparseOptimizer::new(SparseRule::Rda, 0.1) };
        // Means of gradients: .4 → 0; .9 → -√2 · .1 · .4; .3 → 0.
        near(&trace(&optimizer, 0.0, &[0.4, 1.4, -0.9]), &[0.0, -2f32.sqrt() * 0.04, 0.0]);
    }

    #[test]
    fn adagrad_and_adam_match_hand_computed_steps() {
        let adagrad = SparseOptimizer { epsilon: 0.0, ..SparseOptimizer::new(SparseRule::Adagrad, 0.1) };
        near(&trace(&adagrad, 1.0, &[3.0, 4.0]), &[0.9, 0.9 - 0.08]);
        let adam = SparseOptimizer { epsilon: 0.0, ..SparseOptimizer::new(SparseRule::Adam, 0.1) };
        // Step 1 moves by η; step 2: m = .09·2+.1·(-1) = .08, v = .999·.004+.001 = .004996.
        let second = 0.1 * (1.0f32 - 0.998_001).sqrt() / 0.19 * 0.08 / 0.004_996f32.sqrt();
        near(&trace(&adam, 1.0, &[2.0, -1.0]), &[0.9, 0.9 - second]);
    }

    #[test]
    fn rowwise_adagrad_of_width_one_is_adagrad_and_averages_over_the_row() {
        let (row, full) =
            (SparseOptimizer::new(SparseRule::RowwiseAdagrad, 0.1), SparseOptimizer::new(SparseRule::Adagrad, 0.1));
        near(&trace(&row, 1.0, &[3.0, -1.0]), &trace(&full, 1.0, &[3.0, -1.0]));
        let (mut w, mut s) = ([0.0, 0.0], [0.0]);
        row.step(&row.context(1, 1.0, 1.0), &mut w, &mut s, &mut [1.0, 7.0], 0, 1.0);
        assert_eq!(s, [25.0]);
        near(&w, &[-0.02, -0.14]);
    }

    #[test]
    fn mini_batch_aware_l2_divides_by_the_frequency() {
        let optimizer = SparseOptimizer { mba_l2: 0.5, ..SparseOptimizer::new(SparseRule::Sgd, 1.0) };
        let mut w = [2.0];
        optimizer.step(&optimizer.context(1, 1.0, 1.0), &mut w, &mut [], &mut [0.0], 0, 10.0);
        near(&w, &[2.0 - 0.5 / 10.0 * 2.0]);
    }
}
