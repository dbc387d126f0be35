use super::*;
use crate::testing::{close, numbers, random};
use burn::tensor::Device;
use burn::tensor::Tensor;

const SHAPES: [[usize; 4]; 6] =
    [[1, 1, 1, 0], [3, 5, 4, 2], [700, 33, 17, 0], [2500, 40, 24, 13], [0, 3, 2, 0], [515, 7, 1, 1]];

/// Both ways of one layer: output, then gradients of x, W, b and the fourth tensor.
fn both([rows, inputs, outputs, more]: [usize; 4], residual: bool, activation: Activation) -> [Vec<Vec<f32>>; 2] {
    let device = Device::flex().autodiff();
    let x = random([rows, inputs], &device);
    let fourth = random([rows, if residual { outputs } else { more }], &device);
    let w = random([inputs + if residual { 0 } else { more }, outputs], &device);
    let b = random([outputs], &device);
    let pull = random([rows, outputs], &device).detach();
    let composed = if residual {
        activate(x.clone().matmul(w.clone()) + b.clone().unsqueeze::<2>() + fourth.clone(), activation)
    } else if more > 0 {
        let wide = Tensor::cat(vec![x.clone(), fourth.clone()], 1);
        activate(wide.matmul(w.clone()) + b.clone().unsqueeze::<2>(), activation)
    } else {
        activate(x.clone().matmul(w.clone()) + b.clone().unsqueeze::<2>(), activation)
    };
    let fused = if residual {
        dense_residual(x.clone(), fourth.clone(), w.clone(), b.clone(), activation)
    } else if more > 0 {
        dense_beside(x.clone(), fourth.clone(), w.clone(), b.clone(), activation)
    } else {
        dense(x.clone(), w.clone(), b.clone(), activation)
    };
    [composed, fused].map(|output| {
        let grads = (output.clone() * pull.clone()).sum().backward();
        let mut all = vec![numbers(output), numbers(x.grad(&grads).unwrap()), numbers(w.grad(&grads).unwrap())];
        all.push(numbers(b.grad(&grads).unwrap()));
        all.extend(fourth.grad(&grads).map(numbers));
        all
    })
}

#[test]
fn fused_layers_and_their_gradients_equal_the_composed_ones() {
    for shape in SHAPES.into_iter().filter(|s| s[0] > 0) {
        for activation in [Activation::Identity, Activation::Relu] {
            for residual in [false, true] {
                let [composed, fused] = both(shape, residual, activation);
                assert_eq!(fused.len(), composed.len());
                for (number, (f, c)) in fused.iter().zip(&composed).enumerate() {
                    close(f, c, &format!("{shape:?} {activation:?} residual {residual} output {number}"));
                }
            }
        }
    }
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
