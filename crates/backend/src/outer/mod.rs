//! A linear map of outer products as one operation: `vec(x ⊗ y)·W` row by row, the layer of a compressed interaction
//! network.
//!
//! The outer products of a batch do not fit in any cache, often not in memory: on flex they are made block by block and
//! multiplied while they are in cache, forward and backward; on devices with kernels they are made where a product reads them;
//! elsewhere in pieces of bounded size.

mod kernel;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;

use crate::dense::{Flat, contiguous, product, tensor, values};
use crate::kind::has_kernels;
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
    if has_kernels(&x.device()) {
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

#[backend_extension(Flex, Cube: cfg(feature = "cube"), Autodiff)]
pub(crate) trait OuterOps: Backend {
    fn outer_dense(x: FloatTensor<Self>, y: FloatTensor<Self>, w: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// A backend that computes the map and its ways back.
trait OuterMap: Backend {
    /// The same numbers row by row.
    fn plain(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Of plain tensors.
    fn map(operands: &[FloatTensor<Self>; 3]) -> FloatTensor<Self>;

    /// Gradients of x, y and W, of those that are wanted.
    fn back(
        operands: &[FloatTensor<Self>; 3],
        gradient: FloatTensor<Self>,
        wanted: [bool; 3],
    ) -> [Option<FloatTensor<Self>>; 3];
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
        Self::map(&[x, y, w].map(contiguous))
    }
}

impl OuterMap for Flex {
    fn plain(tensor: Flat) -> Flat {
        contiguous(tensor)
    }

    fn map([x, y, w]: &[Flat; 3]) -> Flat {
        let operands = operands(x, y, w);
        tensor(kernel::forward(&operands), [operands.rows, operands.n])
    }

    fn back([x, y, w]: &[Flat; 3], gradient: Flat, _: [bool; 3]) -> [Option<Flat>; 3] {
        let gradient = contiguous(gradient);
        let operands = operands(x, y, w);
        let [to_x, to_y, to_w] = kernel::backward(&operands, values(&gradient));
        let Operands { rows, p, q, n, .. } = operands;
        [Some(tensor(to_x, [rows, p])), Some(tensor(to_y, [rows, q])), Some(tensor(to_w, [p * q, n]))]
    }
}

#[cfg(feature = "cube")]
mod of_cube {
    use burn_cubecl::CubeBackend;
    use burn_cubecl::kernel::into_contiguous;
    use burn_cubecl::tensor::CubeTensor;

    use super::{OuterMap, OuterOps};
    use crate::dense::{outer_back, outer_forward};

    impl OuterOps for CubeBackend {
        fn outer_dense(x: CubeTensor, y: CubeTensor, w: CubeTensor) -> CubeTensor {
            Self::map(&[x, y, w].map(into_contiguous))
        }
    }

    impl OuterMap for CubeBackend {
        fn plain(tensor: CubeTensor) -> CubeTensor {
            into_contiguous(tensor)
        }

        fn map([x, y, w]: &[CubeTensor; 3]) -> CubeTensor {
            outer_forward(x, y, w)
        }

        fn back([x, y, w]: &[CubeTensor; 3], gradient: CubeTensor, wanted: [bool; 3]) -> [Option<CubeTensor>; 3] {
            outer_back([x, y, w], &into_contiguous(gradient), wanted)
        }
    }
}

#[derive(Debug)]
struct Outer;

impl<B: OuterMap> Backward<B, 3> for Outer {
    type State = [FloatTensor<B>; 3];

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let mut wanted = [false; 3];
        ops.parents.iter().zip(&mut wanted).for_each(|(parent, wanted)| *wanted = parent.is_some());
        let found = B::back(&ops.state, gradient, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let (Some(node), Some(gradient)) = (parent, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: OuterMap + OuterOps, C: CheckpointStrategy> OuterOps for Autodiff<B, C> {
    fn outer_dense(x: FloatTensor<Self>, y: FloatTensor<Self>, w: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x, a), (y, b), (w, c)) = (x.into_parts(), y.into_parts(), w.into_parts());
        let state = [x, y, w].map(B::plain);
        let output = B::map(&state);
        tracked!(Outer, [a, b, c], state, output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    use crate::testing::{close, drawn_on, numbers, skipped};

    fn equals_the_composed_form(device: &Device) {
        for [rows, p, q, n] in [[1, 1, 1, 1], [7, 3, 5, 2], [700, 26, 26, 33], [4100, 4, 9, 8], [300, 40, 6, 100]] {
            let of = |device: &Device, composed: bool| {
                let device = device.clone().autodiff();
                let put = |shape: [usize; 2], seed| drawn_on(shape, seed, &device).require_grad();
                let (x, y, w) = (put([rows, p], 1), put([rows, q], 2), put([p * q, n], 3));
                let out = match composed {
                    true => {
                        let outer = x.clone().unsqueeze_dim::<3>(2) * y.clone().unsqueeze_dim::<3>(1);
                        outer.reshape([rows, p * q]).matmul(w.clone())
                    }
                    false => outer_dense(x.clone(), y.clone(), w.clone()),
                };
                let grads = (out.clone() * put([rows, n], 4).detach()).sum().backward();
                let of = |t: &Tensor<2>| numbers(t.grad(&grads).unwrap());
                [numbers(out), of(&x), of(&y), of(&w)]
            };
            let (ours, composed) = (of(device, false), of(&Device::flex(), true));
            ours.iter().zip(&composed).for_each(|(o, c)| close(o, c, &format!("{rows} {p} {q} {n}")));
        }
    }

    #[test]
    fn it_equals_the_composed_form_with_all_gradients() {
        equals_the_composed_form(&Device::flex());
    }

    #[test]
    fn on_a_gpu_too() {
        let Ok(opened) = crate::open(crate::DeviceName::Wgpu) else { return skipped() };
        equals_the_composed_form(&opened.device);
    }
}
