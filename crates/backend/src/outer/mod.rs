//! A linear map of outer products as one operation: `vec(x ⊗ y)·W` row by row, the layer of a compressed interaction
//! network.
//!
//! The outer products of a batch do not fit in any cache, often not in memory: on flex they are made block by block and
//! multiplied while they are in cache, forward and backward; elsewhere in pieces of bounded size.

mod kernel;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;

use crate::dense::{Flat, contiguous, tensor, values};
use crate::kind::is_flex;
use crate::parts::product;
use crate::tracked::tracked;
use kernel::Operands;
pub(crate) use kernel::dot;

/// Outer products that exist at a time on other devices, in numbers: 32 MiB.
const PIECE: usize = 1 << 23;

/// `out[r] = vec(x[r] ⊗ y[r])·W`.
///
/// # Shapes
/// - `x`: `[R, p]`, `y`: `[R, q]`, `weight`: `[p·q, n]`, the row of `x_i y_j` at `i·q + j`
/// - output: `[R, n]`
pub fn outer_dense(x: Tensor<2>, y: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    if is_flex(&x.device()) {
        return Tensor::from_dispatch(<Dispatch as OuterOps>::outer_dense(
            x.into_dispatch(),
            y.into_dispatch(),
            weight.into_dispatch(),
        ));
    }
    let ([rows, p], q) = (x.dims(), y.dims()[1]);
    let step = (PIECE / (p * q).max(1)).max(1);
    let pieces = (0..rows).step_by(step).map(|from| {
        let to = rows.min(from + step);
        let of = |t: &Tensor<2>, width: usize| t.clone().slice([from..to, 0..width]);
        let outer = of(&x, p).unsqueeze_dim::<3>(2) * of(&y, q).unsqueeze_dim::<3>(1); // [r, p, q]
        product(outer.reshape([to - from, p * q]), weight.clone()) // [r, n]
    });
    Tensor::cat(pieces.collect(), 0)
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait OuterOps: Backend {
    fn outer_dense(x: FloatTensor<Self>, y: FloatTensor<Self>, w: FloatTensor<Self>) -> FloatTensor<Self>;
}

fn operands<'a>(x: &'a Flat, y: &'a Flat, w: &'a Flat) -> Operands<'a> {
    Operands {
        rows: x.shape()[0],
        p: x.shape()[1],
        q: y.shape()[1],
        n: w.shape()[1],
        x: values(x),
        y: values(y),
        w: values(w),
    }
}

impl OuterOps for Flex {
    fn outer_dense(x: Flat, y: Flat, w: Flat) -> Flat {
        let (x, y, w) = (contiguous(x), contiguous(y), contiguous(w));
        let operands = operands(&x, &y, &w);
        tensor(kernel::forward(&operands), [operands.rows, operands.n])
    }
}

#[derive(Debug)]
struct Outer;

impl Backward<Flex, 3> for Outer {
    type State = [Flat; 3];

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(grads.consume::<Flex>(&ops.node));
        let [x, y, w] = &ops.state;
        let operands = operands(x, y, w);
        let found = kernel::backward(&operands, values(&gradient));
        let Operands { rows, p, q, n, .. } = operands;
        let shapes = [[rows, p], [rows, q], [p * q, n]];
        for ((parent, values), shape) in ops.parents.into_iter().zip(found).zip(shapes) {
            if let Some(node) = parent {
                grads.register::<Flex>(node.id, tensor(values, shape));
            }
        }
    }
}

impl<C: CheckpointStrategy> OuterOps for Autodiff<Flex, C> {
    fn outer_dense(x: FloatTensor<Self>, y: FloatTensor<Self>, w: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x, a), (y, b), (w, c)) = (x.into_parts(), y.into_parts(), w.into_parts());
        let state = [contiguous(x), contiguous(y), contiguous(w)];
        let [x, y, w] = state.clone();
        let output = Flex::outer_dense(x, y, w);
        tracked!(Outer, [a, b, c], state, output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution, Tolerance};

    #[test]
    fn it_equals_the_composed_form_with_all_gradients() {
        let device = Device::flex().autodiff();
        for [rows, p, q, n] in [[1, 1, 1, 1], [7, 3, 5, 2], [700, 26, 26, 33], [4100, 4, 9, 8]] {
            let random = |shape| Tensor::<2>::random(shape, Distribution::Default, &device).require_grad();
            let (x, y, w, pull) =
                (random([rows, p]), random([rows, q]), random([p * q, n]), random([rows, n]).detach());
            let of = |out: Tensor<2>| {
                let grads = (out.clone() * pull.clone()).sum().backward();
                [out.into_data(), x.grad(&grads).unwrap().into_data(), y.grad(&grads).unwrap().into_data()]
                    .into_iter()
                    .chain([w.grad(&grads).unwrap().into_data()])
                    .collect::<Vec<_>>()
            };
            let ours = of(outer_dense(x.clone(), y.clone(), w.clone()));
            let outer = x.clone().unsqueeze_dim::<3>(2) * y.clone().unsqueeze_dim::<3>(1);
            let composed = of(outer.reshape([rows, p * q]).matmul(w.clone()));
            for (ours, composed) in ours.iter().zip(&composed) {
                ours.assert_approx_eq::<f32>(composed, Tolerance::rel_abs(1e-4, 1e-3));
            }
        }
    }
}
