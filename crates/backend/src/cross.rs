//! The sum of a cross layer as one operation: `x₀ ⊙ y + x`, forward and backward in one pass each.
#![allow(unsafe_code, reason = "output buffers that are not zeroed first")]

use std::mem::MaybeUninit;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::dense::{Flat, contiguous, tensor, values};
use crate::fresh::Fresh;
use crate::kind::is_flex;
use crate::tracked::tracked;
use crate::vectorized;

/// Numbers that one task takes.
const TASK: usize = 1 << 14;

/// `x₀ ⊙ y + x` (the cross layer of Wang et al., WWW 2021, behind its linear part y).
///
/// # Shapes
/// - all `[B, d]`
pub fn cross_term(x0: Tensor<2>, y: Tensor<2>, x: Tensor<2>) -> Tensor<2> {
    if !is_flex(&x.device()) {
        return x0 * y + x;
    }
    Tensor::from_dispatch(<Dispatch as CrossOps>::cross_term(x0.into_dispatch(), y.into_dispatch(), x.into_dispatch()))
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait CrossOps: Backend {
    fn cross_term(x0: FloatTensor<Self>, y: FloatTensor<Self>, x: FloatTensor<Self>) -> FloatTensor<Self>;
}

#[inline(always)]
fn sum(to: &mut [MaybeUninit<f32>], x0: &[f32], y: &[f32], x: &[f32]) {
    for (((to, x0), y), x) in to.iter_mut().zip(x0).zip(y).zip(x) {
        to.write(x0 * y + x);
    }
}

#[inline(always)]
fn product(to: &mut [MaybeUninit<f32>], a: &[f32], b: &[f32]) {
    for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
        to.write(a * b);
    }
}

impl CrossOps for Flex {
    fn cross_term(x0: Flat, y: Flat, x: Flat) -> Flat {
        let (x0, y, x) = (contiguous(x0), contiguous(y), contiguous(x));
        let shape = [x.shape()[0], x.shape()[1]];
        let (a, b, c) = (values(&x0), values(&y), values(&x));
        assert!(a.len() == c.len() && b.len() == c.len(), "the operands are not {shape:?}");
        let mut out = Fresh::new(c.len());
        out.0
            .par_chunks_mut(TASK)
            .zip(a.par_chunks(TASK).zip(b.par_chunks(TASK)).zip(c.par_chunks(TASK)))
            .for_each(|(to, ((a, b), c))| vectorized!(sum(to, a, b, c)));
        // SAFETY: the chunks cover all numbers.
        tensor(unsafe { out.written() }, shape)
    }
}

#[derive(Debug)]
struct Cross;

impl Backward<Flex, 3> for Cross {
    type State = (Flat, Flat);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(grads.consume::<Flex>(&ops.node));
        let (x0, y) = ops.state;
        let shape = [x0.shape()[0], x0.shape()[1]];
        let times = |other: &Flat| {
            let (g, o) = (values(&gradient), values(other));
            assert!(g.len() == o.len(), "the gradient is not {shape:?}");
            let mut out = Fresh::new(g.len());
            out.0
                .par_chunks_mut(TASK)
                .zip(g.par_chunks(TASK).zip(o.par_chunks(TASK)))
                .for_each(|(to, (g, o))| vectorized!(product(to, g, o)));
            // SAFETY: the chunks cover all numbers.
            tensor(unsafe { out.written() }, shape)
        };
        let [to_x0, to_y, to_x] = ops.parents;
        if let Some(node) = to_x0 {
            grads.register::<Flex>(node.id, times(&y));
        }
        if let Some(node) = to_y {
            grads.register::<Flex>(node.id, times(&x0));
        }
        if let Some(node) = to_x {
            grads.register::<Flex>(node.id, gradient);
        }
    }
}

impl<C: CheckpointStrategy> CrossOps for Autodiff<Flex, C> {
    fn cross_term(x0: FloatTensor<Self>, y: FloatTensor<Self>, x: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x0, a), (y, b), (x, c)) = (x0.into_parts(), y.into_parts(), x.into_parts());
        let (x0, y) = (contiguous(x0), contiguous(y));
        let output = Flex::cross_term(x0.clone(), y.clone(), x);
        tracked!(Cross, [a, b, c], (x0, y), output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn it_equals_the_composed_form_with_all_gradients() {
        let device = Device::flex().autodiff();
        let random = || Tensor::<2>::random([300, 70], Distribution::Default, &device).require_grad();
        let (x0, y, x, pull) = (random(), random(), random(), random().detach());
        let of = |out: Tensor<2>| {
            let grads = (out.clone() * pull.clone()).sum().backward();
            let grad = |t: &Tensor<2>| t.grad(&grads).unwrap().into_data();
            (out.into_data(), grad(&x0), grad(&y), grad(&x))
        };
        let ours = of(cross_term(x0.clone(), y.clone(), x.clone()));
        let composed = of(x0.clone() * y.clone() + x.clone());
        let tolerance = burn::tensor::Tolerance::<f32>::absolute(1e-6);
        ours.0.assert_approx_eq(&composed.0, tolerance);
        ours.1.assert_approx_eq(&composed.1, tolerance);
        ours.2.assert_approx_eq(&composed.2, tolerance);
        ours.3.assert_approx_eq(&composed.3, tolerance);
    }
}
