//! Adam's steps as kernels, of up to four weights a launch.

use std::sync::{Arc, PoisonError};

use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{AdamOps, AdamQueue, AdamStep};
use crate::cubes::{a_thread_each, own};

/// Weights of a launch at most.
const TOGETHER: usize = 4;
/// Buffers of a weight: with its gradient and moments.
const BUFFERS: usize = 4;

/// A weight whose step waits.
#[derive(Debug)]
pub(super) struct Waiting {
    w: CubeTensor,
    g: CubeTensor,
    m: CubeTensor,
    v: CubeTensor,
    step: AdamStep,
}

/// What is the same for all weights of a launch.
#[derive(CubeLaunch, CubeType)]
struct Factors {
    beta_1: f32,
    beta_2: f32,
    scale: f32,
    floor: f32,
}

#[cube]
fn pass(
    w: &mut Tensor<f32>,
    g: &Tensor<f32>,
    m: &mut Tensor<f32>,
    v: &mut Tensor<f32>,
    factors: &Factors,
    length: usize,
) {
    if ABSOLUTE_POS < length {
        let gradient = g[ABSOLUTE_POS];
        let first = factors.beta_1 * m[ABSOLUTE_POS] + (1.0f32 - factors.beta_1) * gradient;
        let second = factors.beta_2 * v[ABSOLUTE_POS] + (1.0f32 - factors.beta_2) * gradient * gradient;
        m[ABSOLUTE_POS] = first;
        v[ABSOLUTE_POS] = second;
        w[ABSOLUTE_POS] -= factors.scale * first / (second.sqrt() + factors.floor);
    }
}

#[cube(launch)]
fn adam_one(
    w: &mut Tensor<f32>,
    g: &Tensor<f32>,
    m: &mut Tensor<f32>,
    v: &mut Tensor<f32>,
    factors: Factors,
    length: usize,
) {
    pass(w, g, m, v, &factors, length);
}

#[cube(launch)]
#[allow(clippy::too_many_arguments, reason = "two weights and what belongs to each")]
fn adam_two(
    w0: &mut Tensor<f32>,
    g0: &Tensor<f32>,
    m0: &mut Tensor<f32>,
    v0: &mut Tensor<f32>,
    n0: usize,
    w1: &mut Tensor<f32>,
    g1: &Tensor<f32>,
    m1: &mut Tensor<f32>,
    v1: &mut Tensor<f32>,
    n1: usize,
    factors: Factors,
) {
    pass(w0, g0, m0, v0, &factors, n0);
    pass(w1, g1, m1, v1, &factors, n1);
}

/// A launch has as many threads as the longest weight has numbers; each thread steps one number of every weight.
#[cube(launch)]
#[allow(clippy::too_many_arguments, reason = "four weights and what belongs to each")]
fn adam_four(
    w0: &mut Tensor<f32>,
    g0: &Tensor<f32>,
    m0: &mut Tensor<f32>,
    v0: &mut Tensor<f32>,
    n0: usize,
    w1: &mut Tensor<f32>,
    g1: &Tensor<f32>,
    m1: &mut Tensor<f32>,
    v1: &mut Tensor<f32>,
    n1: usize,
    w2: &mut Tensor<f32>,
    g2: &Tensor<f32>,
    m2: &mut Tensor<f32>,
    v2: &mut Tensor<f32>,
    n2: usize,
    w3: &mut Tensor<f32>,
    g3: &Tensor<f32>,
    m3: &mut Tensor<f32>,
    v3: &mut Tensor<f32>,
    n3: usize,
    factors: Factors,
) {
    pass(w0, g0, m0, v0, &factors, n0);
    pass(w1, g1, m1, v1, &factors, n1);
    pass(w2, g2, m2, v2, &factors, n2);
    pass(w3, g3, m3, v3, &factors, n3);
}

impl Waiting {
    fn length(&self) -> usize {
        self.w.meta.num_elements()
    }
}

/// Whether two steps are the same to the bit, where even what is not a number equals itself.
fn same(a: AdamStep, b: AdamStep) -> bool {
    let bits = |s: AdamStep| [s.beta_1, s.beta_2, s.epsilon, s.rate].map(f32::to_bits);
    bits(a) == bits(b) && a.time == b.time
}

/// Takes all steps, those alike four at a time where a device binds so many buffers.
pub(super) fn take(waiting: &mut Vec<Waiting>) {
    while let Some(first) = waiting.first() {
        let (step, binds) = (first.step, first.w.client.properties().hardware.max_bindings as usize);
        let (mut alike, others): (Vec<_>, Vec<_>) =
            std::mem::take(waiting).into_iter().partition(|w| same(w.step, step));
        *waiting = others;
        let most = [TOGETHER, 2, 1].into_iter().find(|n| n * BUFFERS < binds).unwrap_or(1);
        // Weights of like lengths go together, so that few threads of a launch have nothing to do.
        alike.sort_by_key(|w| std::cmp::Reverse(w.length()));
        while !alike.is_empty() {
            let together = match alike.len().min(most) {
                TOGETHER.. => TOGETHER,
                2.. => 2,
                _ => 1,
            };
            let rest = alike.split_off(together);
            launch(std::mem::replace(&mut alike, rest), step);
        }
    }
}

fn launch(weights: Vec<Waiting>, step: AdamStep) {
    let Some(first) = weights.first() else { return };
    let (client, longest) = (first.w.client.clone(), weights.iter().map(Waiting::length).max().unwrap_or(0));
    if longest == 0 {
        return;
    }
    let (count, threads) = a_thread_each(&first.w, longest);
    let (scale, floor) = step.factors();
    let factors = FactorsLaunch::new(step.beta_1, step.beta_2, scale, floor);
    let mut weights = weights.into_iter().map(|one| {
        let length = one.length();
        let arg = CubeTensor::into_tensor_arg;
        (arg(one.w), arg(one.g), arg(one.m), arg(one.v), length)
    });
    let mut next = || weights.next();
    match (next(), next(), next(), next()) {
        (Some(a), Some(b), Some(c), Some(d)) => adam_four::launch(
            &client, count, threads, a.0, a.1, a.2, a.3, a.4, b.0, b.1, b.2, b.3, b.4, c.0, c.1, c.2, c.3, c.4, d.0,
            d.1, d.2, d.3, d.4, factors,
        ),
        (Some(a), Some(b), ..) => {
            adam_two::launch(&client, count, threads, a.0, a.1, a.2, a.3, a.4, b.0, b.1, b.2, b.3, b.4, factors)
        }
        (Some(a), ..) => adam_one::launch(&client, count, threads, a.0, a.1, a.2, a.3, factors, a.4),
        _ => {}
    }
}

impl AdamOps for CubeBackend {
    fn adam(
        w: CubeTensor,
        g: CubeTensor,
        m: CubeTensor,
        v: CubeTensor,
        step: AdamStep,
        queue: Arc<AdamQueue>,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let (w, g, m, v) = (own(w), into_contiguous(g), own(m), own(v));
        let one = Waiting { w: w.clone(), g, m: m.clone(), v: v.clone(), step };
        queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(one);
        (w, m, v)
    }
}
