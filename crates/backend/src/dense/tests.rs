use super::*;
use crate::testing::{close, drawn_on, numbers, random, skipped};
use burn::tensor::Device;
use burn::tensor::Tensor;

/// Rows, inputs, outputs, more inputs: tiles that are whole and that are not, few rows, few columns, sums in parts.
const SHAPES: [[usize; 4]; 9] = [
    [1, 1, 1, 0],
    [3, 5, 4, 2],
    [700, 33, 17, 0],
    [2500, 40, 24, 13],
    [0, 3, 2, 0],
    [515, 7, 1, 1],
    [130, 65, 70, 0],
    [9000, 9, 129, 4],
    [1030, 200, 1, 0],
];

/// What a layer of a device gives: output, then gradients of x, W, b and the fourth tensor.
fn layer(shape: [usize; 4], residual: bool, activation: Activation, fused: Option<&Device>) -> Vec<Vec<f32>> {
    let [rows, inputs, outputs, more] = shape;
    let device = fused.cloned().unwrap_or_else(Device::flex).autodiff();
    let beside = if residual { outputs } else { more };
    let put = |shape: [usize; 2], seed| drawn_on(shape, seed, &device).require_grad();
    let (x, fourth) = (put([rows, inputs], 1), put([rows, beside], 2));
    let w = put([inputs + if residual { 0 } else { more }, outputs], 3);
    let b = drawn_on([outputs], 4, &device).require_grad();
    let pull = put([rows, outputs], 5).detach();
    let output = match (fused.is_some(), residual, more > 0) {
        (false, true, _) => {
            activate(x.clone().matmul(w.clone()) + b.clone().unsqueeze::<2>() + fourth.clone(), activation)
        }
        (false, false, true) => {
            let wide = Tensor::cat(vec![x.clone(), fourth.clone()], 1);
            activate(wide.matmul(w.clone()) + b.clone().unsqueeze::<2>(), activation)
        }
        (false, false, false) => activate(x.clone().matmul(w.clone()) + b.clone().unsqueeze::<2>(), activation),
        (true, true, _) => dense_residual(x.clone(), fourth.clone(), w.clone(), b.clone(), activation),
        (true, false, true) => dense_beside(x.clone(), fourth.clone(), w.clone(), b.clone(), activation),
        (true, false, false) => dense(x.clone(), w.clone(), b.clone(), activation),
    };
    let grads = (output.clone() * pull).sum().backward();
    let mut all = vec![numbers(output), numbers(x.grad(&grads).unwrap()), numbers(w.grad(&grads).unwrap())];
    all.push(numbers(b.grad(&grads).unwrap()));
    all.extend(fourth.grad(&grads).map(numbers));
    all
}

fn equal_the_composed_ones(device: &Device) {
    for shape in SHAPES.into_iter().filter(|s| s[0] > 0) {
        for activation in [Activation::Identity, Activation::Relu] {
            for residual in [false, true] {
                let composed = layer(shape, residual, activation, None);
                let fused = layer(shape, residual, activation, Some(device));
                assert_eq!(fused.len(), composed.len());
                for (number, (f, c)) in fused.iter().zip(&composed).enumerate() {
                    close(f, c, &format!("{shape:?} {activation:?} residual {residual} output {number}"));
                }
                assert!(layer(shape, residual, activation, Some(device)) == fused, "{shape:?}: other bits");
            }
        }
    }
}

#[test]
fn fused_layers_and_their_gradients_equal_the_composed_ones() {
    equal_the_composed_ones(&Device::flex());
}

#[test]
fn layers_of_a_gpu_and_their_gradients_equal_the_composed_ones() {
    let Ok(opened) = crate::open(crate::DeviceName::Wgpu) else { return skipped() };
    equal_the_composed_ones(&opened.device);
    // So many rows take the largest tile in all three products.
    let large = [33_000, 70, 66, 0];
    let [composed, fused] = [None, Some(&opened.device)].map(|d| layer(large, false, Activation::Relu, d));
    composed.iter().zip(&fused).for_each(|(c, f)| close(f, c, "the largest tile"));
    // No rows: gradients of zero.
    let empty = layer([0, 3, 2, 2], false, Activation::Relu, Some(&opened.device));
    assert!(empty[0].is_empty() && empty[2] == vec![0.0; 10] && empty[3] == vec![0.0; 2], "{empty:?}");
    let none = dense(
        Tensor::zeros([0, 3], &opened.device),
        Tensor::ones([3, 2], &opened.device),
        Tensor::ones([2], &opened.device),
        Activation::Relu,
    );
    assert_eq!(none.dims(), [0, 2]);
    let x = Tensor::<2>::from_floats([[f32::NAN, 1.0]], &opened.device);
    let y = dense(x, Tensor::ones([2, 2], &opened.device), Tensor::ones([2], &opened.device), Activation::Relu);
    assert!(numbers(y).iter().all(|v| v.is_nan()));
}

#[test]
fn a_layer_of_a_gpu_is_a_launch_forward_and_three_back() {
    let Ok(opened) = crate::open(crate::DeviceName::Wgpu) else { return skipped() };
    let device = opened.device.autodiff();
    let ones = |shape: [usize; 2]| Tensor::<2>::ones(shape, &device).require_grad();
    let (x, w, b, pull) =
        (ones([600, 30]), ones([30, 20]), Tensor::<1>::ones([20], &device).require_grad(), ones([600, 20]));
    let counter = crate::LaunchCounter::start();
    let launches = |run: &dyn Fn()| {
        let before = counter.count();
        run();
        counter.count() - before
    };
    let forward = || drop(dense(x.clone(), w.clone(), b.clone(), Activation::Relu));
    assert_eq!(launches(&forward), 1);
    // A product with something fixed, and a sum, stand around the layer, or around a leaf.
    let (leaf, pull) = (pull.clone(), pull.detach());
    let after = |y: Tensor<2>| drop((y * pull.clone()).sum().backward());
    let both = || after(dense(x.clone(), w.clone(), b.clone(), Activation::Relu));
    let around = || after(leaf.clone());
    assert_eq!(launches(&both), 4 + launches(&around));
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let device = Device::flex().autodiff();
    device.seed(7);
    let (x, w, b) = (random([3000, 50], &device), random([50, 30], &device), random([30], &device));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let y = dense(x.clone(), w.clone(), b.clone(), Activation::Relu);
            let grads = y.clone().powf_scalar(2.0).sum().backward();
            [numbers(y), numbers(x.grad(&grads).unwrap()), numbers(w.grad(&grads).unwrap())]
        })
    };
    let one = run(1);
    for threads in [2, 3, 12] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

#[test]
fn a_layer_without_rows_gives_none() {
    let device = Device::flex();
    let y = dense(
        Tensor::zeros([0, 3], &device),
        Tensor::ones([3, 2], &device),
        Tensor::ones([2], &device),
        Activation::Relu,
    );
    assert_eq!(y.dims(), [0, 2]);
}

#[test]
fn not_a_number_passes_through_the_activation() {
    let device = Device::flex();
    let x = Tensor::<2>::from_floats([[f32::NAN, 1.0]], &device);
    let y = dense(x, Tensor::ones([2, 2], &device), Tensor::ones([2], &device), Activation::Relu);
    assert!(numbers(y).iter().all(|v| v.is_nan()));
}
