use super::*;
use crate::testing::{close, numbers, random};
use burn::tensor::Device;

#[test]
fn layers_of_experts_and_their_gradients_equal_the_composed_ones() {
    let device = Device::flex().autodiff();
    for [rows, experts, inputs, outputs] in [[1, 1, 1, 1], [3, 2, 5, 4], [700, 3, 17, 9], [2500, 4, 16, 33]] {
        for activation in [Activation::Identity, Activation::Relu] {
            let x = random([rows, experts * inputs], &device);
            let (w, b) = (random([experts, inputs, outputs], &device), random([experts, 1, outputs], &device));
            let pull = random([rows, experts * outputs], &device).detach();
            let of = |output: Tensor<2>| {
                let grads = (output.clone() * pull.clone()).sum().backward();
                let (of_w, of_b) = (numbers(w.grad(&grads).unwrap()), numbers(b.grad(&grads).unwrap()));
                [numbers(output), numbers(x.grad(&grads).unwrap()), of_w, of_b]
            };
            let fused = of(layer_each(x.clone(), w.clone(), b.clone(), activation));
            let plain = of(composed_layer(x.clone(), w.clone(), b.clone(), activation));
            fused.iter().zip(&plain).for_each(|(f, p)| close(f, p, &format!("{rows} {experts} {activation:?}")));
        }
    }
}

#[test]
fn mixtures_of_several_gates_equal_the_composed_ones() {
    let device = Device::flex().autodiff();
    for [rows, gates, experts, width] in [[1, 1, 1, 1], [5, 2, 3, 7], [130, 3, 4, 33], [64, 1, 8, 128]] {
        let shares: Vec<Tensor<2>> = (0..gates).map(|_| random([rows, experts], &device)).collect();
        let x = random([rows, experts * width], &device);
        let pulls: Vec<Tensor<2>> = (0..gates).map(|_| random([rows, width], &device).detach()).collect();
        let of = |mixed: Vec<Tensor<2>>| {
            let loss = mixed.iter().zip(&pulls).map(|(m, p)| (m.clone() * p.clone()).sum());
            let grads = loss.reduce(|a, b| a + b).unwrap().backward();
            let mut all: Vec<Vec<f32>> = mixed.into_iter().map(numbers).collect();
            all.push(numbers(x.grad(&grads).unwrap()));
            all.extend(shares.iter().map(|s| numbers(s.grad(&grads).unwrap())));
            all
        };
        let fused = of(mixtures(shares.clone(), x.clone()));
        let plain = of(shares.iter().map(|own| composed_mixture(own.clone(), x.clone())).collect());
        fused.iter().zip(&plain).for_each(|(f, p)| close(f, p, &format!("{rows} {gates} {experts} {width}")));
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let device = Device::flex().autodiff();
    device.seed(7);
    let (x, w, b) = (random([3000, 12], &device), random([3, 4, 5], &device), random([3, 1, 5], &device));
    let shares = random([3000, 3], &device);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let y = layer_each(x.clone(), w.clone(), b.clone(), Activation::Relu);
            let y = mixtures(vec![shares.clone(), shares.clone()], y).swap_remove(1);
            let grads = y.powf_scalar(2.0).sum().backward();
            [numbers(w.grad(&grads).unwrap()), numbers(x.grad(&grads).unwrap()), numbers(shares.grad(&grads).unwrap())]
        })
    };
    assert_eq!(run(1), run(3));
}
