//! The unit composed of a tensor library's operations: a step for all rows that still have a position.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::Update;
use crate::jagged::Segments;

fn ints(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), &device.clone().inner())
}

pub(super) fn gru(
    xw: Tensor<2>,
    attention: Tensor<2>,
    weight: Tensor<2>,
    segments: &Segments,
    update: Update,
) -> Tensor<2> {
    let (offsets, device, h) = (segments.offsets(), xw.device(), weight.dims()[0]);
    let mut rows: Vec<usize> = (0..segments.rows()).collect();
    let length = |row: usize| (offsets[row + 1] - offsets[row]) as usize;
    rows.sort_by_key(|row| std::cmp::Reverse(length(*row)));
    let longest = rows.first().map_or(0, |row| length(*row));
    if longest == 0 {
        return Tensor::zeros([0, h], &device);
    }
    let mut state: Option<Tensor<2>> = None;
    let (mut outputs, mut order) = (Vec::new(), Vec::<i32>::new());
    for step in 0..longest {
        let active = rows.partition_point(|row| length(*row) > step);
        let places: Vec<i32> = rows[..active].iter().map(|row| offsets[*row] as i32 + step as i32).collect();
        order.extend(&places);
        let at = ints(places, &device);
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
    let mut back = vec![0; order.len()];
    order.iter().zip(0..).for_each(|(place, at)| back[*place as usize] = at);
    Tensor::cat(outputs, 0).select(0, ints(back, &device))
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
