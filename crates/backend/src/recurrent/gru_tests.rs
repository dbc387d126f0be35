//! The unit against its composed form and the identities of its gates.

use burn::tensor::{Device, Tensor, TensorData, Tolerance};

use super::*;
use crate::jagged::Segments;

const H: usize = 5;

fn offsets() -> Vec<u32> {
    let lengths = (0..150u32).map(|row| row * 7 % 11);
    std::iter::once(0)
        .chain(lengths.scan(0, |end, length| {
            *end += length;
            Some(*end)
        }))
        .collect()
}

fn random(rows: usize, width: usize, scale: f32, device: &Device) -> Tensor<2> {
    let number = |i: usize| (((i * 7919 + width * 31) % 1009) as f32 / 504.5 - 1.0) * scale;
    Tensor::from_data(TensorData::new((0..rows * width).map(number).collect::<Vec<_>>(), [rows, width]), device)
}

#[test]
fn forward_and_all_gradients_equal_the_composed_form() {
    let device = Device::flex().autodiff();
    let segments = Segments::new(&offsets(), &device);
    let n = segments.positions();
    for update in [Update::Plain, Update::Scaled, Update::Attention, Update::Released] {
        let run = |of: &dyn Fn(&Tensor<2>, &Tensor<2>, &Tensor<2>) -> Tensor<2>| {
            let xw = random(n, 3 * H, 2.0, &device).require_grad();
            let attention = (random(n, 1, 0.5, &device) + 0.5).detach().require_grad();
            let weight = random(H, 3 * H, 0.8, &device).require_grad();
            let out = of(&xw, &attention, &weight);
            let grads = (out.clone() * random(n, H, 1.0, &device)).sum().backward();
            let mut all = vec![out.into_data()];
            // The composed form keeps a gradient of zeros where the gate is left out, ours as well.
            all.extend([&xw, &weight].map(|t| t.grad(&grads).unwrap().into_data()));
            all.extend((update != Update::Plain).then(|| attention.grad(&grads).unwrap().into_data()));
            all
        };
        let ours = run(&|x, a, w| gru(x.clone(), a.clone(), w.clone(), &segments, update));
        let expected = run(&|x, a, w| gru_composed::gru(x.clone(), a.clone(), w.clone(), &segments, update));
        for (o, e) in ours.iter().zip(&expected) {
            o.assert_approx_eq::<f32>(e, Tolerance::rel_abs(1e-4, 1e-4));
        }
    }
}

/// The states, and the gradients of what goes in.
#[cfg(feature = "wgpu")]
fn through(device: &Device, offsets: &[u32], width: usize, update: Update) -> Vec<TensorData> {
    let device = device.clone().autodiff();
    let segments = Segments::new(offsets, &device);
    let n = segments.positions();
    let xw = random(n, 3 * width, 2.0, &device).require_grad();
    let attention = (random(n, 1, 0.5, &device) + 0.5).detach().require_grad();
    let weight = random(width, 3 * width, 2.0 / width as f32, &device).require_grad();
    let out = gru(xw.clone(), attention.clone(), weight.clone(), &segments, update);
    let grads = (out.clone() * random(n, width, 1.0, &device)).sum().backward();
    let mut all = vec![out.into_data()];
    all.extend([&xw, &weight].map(|t| t.grad(&grads).unwrap().into_data()));
    all.extend((update != Update::Plain).then(|| attention.grad(&grads).unwrap().into_data()));
    all
}

#[cfg(feature = "wgpu")]
#[test]
fn kernels_go_through_time_as_the_host_does_on_wgpu() {
    let Ok(opened) = crate::open(crate::DeviceName::Wgpu) else {
        eprintln!("SKIPPED: no wgpu adapter answers; nothing was tested");
        return;
    };
    let short = [0, 3, 3, 4, 9, 9];
    for (width, offsets) in
        [(5, offsets()), (32, short.to_vec()), (40, offsets()), (300, short.to_vec()), (5, vec![0, 0])]
    {
        for update in [Update::Plain, Update::Scaled, Update::Attention, Update::Released] {
            let found = through(&opened.device, &offsets, width, update);
            let expected = through(&Device::flex(), &offsets, width, update);
            for (f, e) in found.iter().zip(&expected) {
                f.assert_approx_eq::<f32>(e, Tolerance::rel_abs(1e-4, 1e-4));
            }
            assert_eq!(found, through(&opened.device, &offsets, width, update), "two runs");
        }
    }
}

#[test]
fn without_attention_the_state_stays_and_with_all_of_it_the_unit_is_plain() {
    let device = Device::flex();
    let segments = Segments::new(&offsets(), &device);
    let n = segments.positions();
    let (xw, weight) = (random(n, 3 * H, 2.0, &device), random(H, 3 * H, 0.8, &device));
    let states = |a: f32, update: Update| {
        gru(xw.clone(), Tensor::full([n, 1], a, &device), weight.clone(), &segments, update).into_data()
    };
    let plain = states(0.5, Update::Plain);
    assert_eq!(states(0.0, Update::Scaled), Tensor::<2>::zeros([n, H], &device).into_data());
    assert_eq!(states(1.0, Update::Scaled), plain);
    // The released code's form: without attention an ordinary step.
    states(0.0, Update::Released).assert_approx_eq::<f32>(&plain, Tolerance::absolute(1e-6));
}

#[test]
fn other_rows_change_nothing() {
    let device = Device::flex();
    let (xw, weight) = (random(9, 3 * H, 2.0, &device), random(H, 3 * H, 0.8, &device));
    let a = Tensor::ones([9, 1], &device);
    let all = gru(xw.clone(), a.clone(), weight.clone(), &Segments::new(&[0, 2, 2, 7, 9], &device), Update::Plain);
    let own = |t: Tensor<2>| {
        let width = t.dims()[1];
        t.slice([2..7, 0..width])
    };
    let alone = gru(own(xw), own(a), weight, &Segments::new(&[0, 5], &device), Update::Plain);
    alone.into_data().assert_approx_eq::<f32>(&own(all).into_data(), Tolerance::absolute(1e-6));
}
