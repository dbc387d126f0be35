//! The operation with autodiff: what to keep, and the gradients back.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;

use super::op::{DenseOps, Fourth, Layer, State};
use crate::tracked::tracked;

macro_rules! backward_of {
    ($name:ident, $count:literal) => {
        #[derive(Debug)]
        struct $name;

        impl<B: Layer> Backward<B, $count> for $name {
            type State = State<B>;

            fn backward(self, ops: Ops<State<B>, $count>, grads: &mut Gradients, _: &mut Checkpointer) {
                let gradient = grads.consume::<B>(&ops.node);
                let mut wanted = [false; 4];
                ops.parents.iter().zip(&mut wanted).for_each(|(p, w)| *w = p.is_some());
                let found = B::backward(ops.state, gradient, wanted);
                for (parent, gradient) in ops.parents.into_iter().zip(found) {
                    if let (Some(node), Some(gradient)) = (parent, gradient) {
                        grads.register::<B>(node.id, gradient);
                    }
                }
            }
        }
    };
}

backward_of!(OfTwo, 2);

/// Of x, W and the sum: there is no bias.
#[derive(Debug)]
struct Plus;

impl<B: Layer> Backward<B, 3> for Plus {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let [x, w, sum] = ops.parents;
        let [to_x, to_w, _, to_sum] =
            B::backward(ops.state, gradient, [x.is_some(), w.is_some(), false, sum.is_some()]);
        for (parent, gradient) in [(x, to_x), (w, to_w), (sum, to_sum)] {
            if let (Some(node), Some(gradient)) = (parent, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

backward_of!(OfThree, 3);
backward_of!(OfFour, 4);

/// Computes forward, and keeps what the way back needs.
fn keep<B: Layer>(
    x: FloatTensor<B>,
    fourth: Fourth<B>,
    w: FloatTensor<B>,
    b: Option<FloatTensor<B>>,
    relu: bool,
) -> (State<B>, FloatTensor<B>) {
    let (x, w, b) = (B::plain(x), B::plain(w), b.map(B::plain));
    let output = B::forward(&x, &fourth, &w, b.as_ref(), relu);
    let cut = relu.then(|| output.clone());
    let fourth = match fourth {
        Fourth::Residual(_) => Fourth::Added,
        other => other,
    };
    (State { x, fourth, w, cut }, output)
}

type Tracked<B, C> = FloatTensor<Autodiff<B, C>>;

impl<B: Layer + DenseOps, C: CheckpointStrategy> DenseOps for Autodiff<B, C> {
    fn multiply(x: Tracked<B, C>, w: Tracked<B, C>) -> Tracked<B, C> {
        let ((x, xn), (w, wn)) = (x.into_parts(), w.into_parts());
        let (state, output) = keep::<B>(x, Fourth::Nothing, w, None, false);
        tracked!(OfTwo, [xn, wn], state, output)
    }

    fn dense_plus(x: Tracked<B, C>, residual: Tracked<B, C>, w: Tracked<B, C>) -> Tracked<B, C> {
        let ((x, xn), (w, wn), (residual, rn)) = (x.into_parts(), w.into_parts(), residual.into_parts());
        let (state, output) = keep::<B>(x, Fourth::Residual(B::plain(residual)), w, None, false);
        tracked!(Plus, [xn, wn, rn], state, output)
    }

    fn dense(x: Tracked<B, C>, w: Tracked<B, C>, b: Tracked<B, C>, relu: bool) -> Tracked<B, C> {
        let ((x, xn), (w, wn), (b, bn)) = (x.into_parts(), w.into_parts(), b.into_parts());
        let (state, output) = keep::<B>(x, Fourth::Nothing, w, Some(b), relu);
        tracked!(OfThree, [xn, wn, bn], state, output)
    }

    fn dense_beside(
        x: Tracked<B, C>,
        more: Tracked<B, C>,
        w: Tracked<B, C>,
        b: Tracked<B, C>,
        relu: bool,
    ) -> Tracked<B, C> {
        let ((x, xn), (w, wn), (b, bn)) = (x.into_parts(), w.into_parts(), b.into_parts());
        let (more, mn) = more.into_parts();
        let (state, output) = keep::<B>(x, Fourth::More(B::plain(more)), w, Some(b), relu);
        tracked!(OfFour, [xn, wn, bn, mn], state, output)
    }

    fn dense_residual(
        x: Tracked<B, C>,
        residual: Tracked<B, C>,
        w: Tracked<B, C>,
        b: Tracked<B, C>,
        relu: bool,
    ) -> Tracked<B, C> {
        let ((x, xn), (w, wn), (b, bn)) = (x.into_parts(), w.into_parts(), b.into_parts());
        let (residual, rn) = residual.into_parts();
        let (state, output) = keep::<B>(x, Fourth::Residual(B::plain(residual)), w, Some(b), relu);
        tracked!(OfFour, [xn, wn, bn, rn], state, output)
    }
}
