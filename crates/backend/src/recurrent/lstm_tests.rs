//! The kernels against the steps written out, on whatever adapter answers; llvmpipe in CI.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData, Tolerance};

use super::lstm;
use crate::jagged::Segments;

fn random(rows: usize, width: usize, scale: f32, device: &Device) -> Tensor<2> {
    let number = |i: usize| (((i * 7919 + width * 31) % 1009) as f32 / 504.5 - 1.0) * scale;
    Tensor::from_data(TensorData::new((0..rows * width).map(number).collect::<Vec<_>>(), [rows, width]), device)
}

/// Step by step, row by row.
fn plain(xw: &Tensor<2>, recurrent: &Tensor<2>, peepholes: &Tensor<2>, offsets: &[u32]) -> Tensor<2> {
    let h = recurrent.dims()[0];
    let mut outputs = Vec::new();
    for span in offsets.windows(2) {
        let zeros = || Tensor::<2>::zeros([1, h], &xw.device());
        let (mut state, mut cell) = (zeros(), zeros());
        for at in span[0] as usize..span[1] as usize {
            let z = xw.clone().slice([at..at + 1, 0..4 * h]) + state.clone().matmul(recurrent.clone());
            let part = |n: usize| z.clone().slice([0..1, n * h..(n + 1) * h]);
            let peep = |n: usize, c: &Tensor<2>| peepholes.clone().slice([n..n + 1, 0..h]) * c.clone();
            let (i, f) = (sigmoid(part(0) + peep(0, &cell)), sigmoid(part(1) + peep(1, &cell)));
            cell = f * cell + i * part(3).tanh();
            state = sigmoid(part(2) + peep(2, &cell)) * cell.clone().tanh();
            outputs.push(state.clone());
        }
    }
    Tensor::cat(outputs, 0)
}

#[test]
fn kernels_remember_as_the_steps_do_on_wgpu() {
    let Ok(opened) = crate::open(crate::DeviceName::Wgpu) else {
        eprintln!("SKIPPED: no wgpu adapter answers; nothing was tested");
        return;
    };
    for (width, offsets) in [(5, vec![0, 3, 3, 4, 9, 9, 20]), (40, vec![0, 2, 7]), (300, vec![0, 1, 3])] {
        let run = |device: &Device, of: &dyn Fn(&Tensor<2>, &Tensor<2>, &Tensor<2>, &Segments) -> Tensor<2>| {
            let device = device.clone().autodiff();
            let segments = Segments::new(&offsets, &device);
            let n = segments.positions();
            let xw = random(n, 4 * width, 2.0, &device).require_grad();
            let recurrent = random(width, 4 * width, 2.0 / width as f32, &device).require_grad();
            let peepholes = random(3, width, 0.7, &device).require_grad();
            let out = of(&xw, &recurrent, &peepholes, &segments);
            let grads = (out.clone() * random(n, width, 1.0, &device)).sum().backward();
            let mut all = vec![out.into_data()];
            all.extend([&xw, &recurrent, &peepholes].map(|t| t.grad(&grads).unwrap().into_data()));
            all
        };
        let kernels = || run(&opened.device, &|x, u, c, s| lstm(x.clone(), u.clone(), c.clone(), s));
        let expected = run(&Device::flex(), &|x, u, c, _| plain(x, u, c, &offsets));
        let found = kernels();
        for (f, e) in found.iter().zip(&expected) {
            f.assert_approx_eq::<f32>(e, Tolerance::rel_abs(1e-4, 1e-4));
        }
        assert_eq!(found, kernels(), "two runs");
    }
}
