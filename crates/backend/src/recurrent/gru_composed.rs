//! The unit composed of a tensor library's operations: a step for all rows that still have a position.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::unit::Update;
use crate::jagged::Segments;

pub(super) fn gru(
    xw: Tensor<2>,
    attention: Tensor<2>,
    weight: Tensor<2>,
    segments: &Segments,
    update: Update,
) -> Tensor<2> {
    let (device, h, steps) = (xw.device(), weight.dims()[0], segments.steps());
    if steps.0.is_empty() {
        return Tensor::zeros([0, h], &device);
    }
    let mut state: Option<Tensor<2>> = None;
    let mut outputs = Vec::with_capacity(steps.0.len());
    for (step, places) in steps.0.iter().enumerate() {
        let (active, at) = (places.len(), steps.at(step, &device));
        let x = xw.clone().select(0, at.clone()); // [active, 3h]
        let a = (update != Update::Plain).then(|| attention.clone().select(0, at)); // [active, 1]
        let before = match state {
            Some(state) => state.slice([0..active, 0..h]),
            None => Tensor::zeros([active, h], &device),
        };
        let next = one(x, a, before, &weight, update);
        outputs.push(next.clone());
        state = Some(next);
    }
    steps.in_order(outputs)
}

/// One step of the rows that still run.
fn one(x: Tensor<2>, a: Option<Tensor<2>>, before: Tensor<2>, weight: &Tensor<2>, update: Update) -> Tensor<2> {
    let [rows, h] = before.dims();
    let product = before.clone().matmul(weight.clone()); // [active, 3h]
    let part = |t: &Tensor<2>, i: usize| t.clone().slice([0..rows, i * h..(i + 1) * h]);
    let u = sigmoid(part(&x, 0) + part(&product, 0));
    let r = sigmoid(part(&x, 1) + part(&product, 1));
    let c = (part(&x, 2) + r * part(&product, 2)).tanh();
    let z = match (update, a) {
        (Update::Scaled, Some(a)) => u * a,
        (Update::Attention, Some(a)) => u * 0.0 + a,
        (Update::Released, Some(a)) => (u - 1.0) * (-a + 1.0) + 1.0,
        _ => u,
    };
    before.clone() + z * (c - before)
}
