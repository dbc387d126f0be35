//! Every operation against plain loops and against its composed form, on flex and on wgpu.

use burn::tensor::{Distribution, Tolerance};

use super::*;
use crate::{DeviceName, open};

const OFFSETS: [u32; 6] = [0, 3, 3, 4, 140, 145];
const WIDTH: usize = 20;

fn devices() -> Vec<Device> {
    let gpu = open(DeviceName::Wgpu).ok();
    if gpu.is_none() {
        eprintln!("SKIPPED on wgpu: no adapter answers");
    }
    [Device::flex()].into_iter().chain(gpu.map(|o| o.device)).collect()
}

fn random(rows: usize, width: usize, device: &Device) -> Tensor<2> {
    let values = (0..rows * width).map(|i| ((i * 7919 + width) % 1009) as f32 / 500.0 - 1.0).collect::<Vec<_>>();
    Tensor::from_data(TensorData::new(values, [rows, width]), device)
}

fn list(tensor: &Tensor<2>) -> Vec<f32> {
    tensor.clone().into_data().try_to_vec().unwrap()
}

#[test]
fn rows_and_positions_map_as_plain_loops_do() {
    for device in devices() {
        let segments = Segments::new(&OFFSETS, &device);
        let (x, y) = (random(5, WIDTH, &device), random(145, WIDTH, &device));
        let (spread, sum) = (list(&spread(x.clone(), &segments)), list(&segment_sum(y.clone(), &segments)));
        let (x, y) = (list(&x), list(&y));
        for row in 0..5 {
            let span = OFFSETS[row] as usize..OFFSETS[row + 1] as usize;
            for d in 0..WIDTH {
                span.clone().for_each(|at| assert_eq!(spread[at * WIDTH + d], x[row * WIDTH + d]));
                let expected: f64 = span.clone().map(|at| f64::from(y[at * WIDTH + d])).sum();
                assert!((f64::from(sum[row * WIDTH + d]) - expected).abs() < 1e-4, "{row} {d}");
            }
        }
    }
}

/// Gradients of all operands, and the output.
fn trial(operands: &[Tensor<2>], of: impl Fn(&[Tensor<2>]) -> Tensor<2>) -> Vec<TensorData> {
    let tracked: Vec<Tensor<2>> = operands.iter().map(|o| o.clone().detach().require_grad()).collect();
    let out = of(&tracked);
    let pull = random(out.dims()[0], out.dims()[1], &out.device());
    let grads = (out.clone() * pull).sum().backward();
    let gradients = tracked.iter().map(|t| t.grad(&grads).unwrap().into_data());
    gradients.chain([out.into_data()]).collect()
}

#[test]
fn fused_operations_equal_composed_ones_with_all_gradients() {
    for device in devices() {
        let device = device.autodiff();
        let segments = Segments::new(&OFFSETS, &device);
        let owners = segments.owners.clone();
        let far = |x: &Tensor<2>| x.clone().select(0, owners.clone());
        let (k, q) = (random(145, WIDTH, &device), random(5, WIDTH, &device));
        let w = random(145, 1, &device);
        let pairs = [
            (
                trial(&[k.clone(), q.clone()], |o| spread_mul(o[0].clone(), o[1].clone(), &segments)),
                trial(&[k.clone(), q.clone()], |o| o[0].clone() * far(&o[1])),
            ),
            (
                trial(&[k.clone(), q.clone()], |o| spread_add(o[0].clone(), o[1].clone(), &segments, Activation::Relu)),
                trial(&[k.clone(), q.clone()], |o| relu(o[0].clone() + far(&o[1]))),
            ),
            (
                trial(&[k.clone(), w.clone()], |o| weighted_sum(o[0].clone(), o[1].clone(), &segments)),
                trial(&[k.clone(), w.clone()], |o| {
                    let each = o[0].clone() * o[1].clone();
                    let rows = OFFSETS.windows(2).map(|s| match s[0] == s[1] {
                        true => Tensor::zeros([1, WIDTH], &each.device()),
                        false => each.clone().slice([s[0] as usize..s[1] as usize, 0..WIDTH]).sum_dim(0),
                    });
                    Tensor::cat(rows.collect(), 0)
                }),
            ),
            (
                trial(std::slice::from_ref(&w), |o| segment_softmax(o[0].clone() * 50.0, &segments)),
                trial(&[w], |o| {
                    let rows = OFFSETS.windows(2).filter(|s| s[0] < s[1]).map(|s| {
                        let own = o[0].clone().slice([s[0] as usize..s[1] as usize, 0..1]) * 50.0;
                        burn::tensor::activation::softmax(own, 0)
                    });
                    Tensor::cat(rows.collect(), 0)
                }),
            ),
        ];
        for (number, (fused, composed)) in pairs.iter().enumerate() {
            for (f, c) in fused.iter().zip(composed) {
                assert!(!f.as_slice::<f32>().unwrap().iter().any(|x| x.is_nan()), "pair {number}");
                f.assert_approx_eq::<f32>(c, Tolerance::rel_abs(1e-4, 1e-4));
            }
        }
    }
}

#[test]
fn no_positions_at_all_are_fine() {
    for device in devices() {
        let segments = Segments::new(&[0, 0, 0], &device);
        let sum = segment_sum(Tensor::random([0, 3], Distribution::Default, &device), &segments);
        assert_eq!(list(&sum), [0.0; 6]);
        assert_eq!(spread(random(2, 3, &device), &segments).dims(), [0, 3]);
    }
}
