//! The operation on flex with autodiff: what to keep, and the gradients back.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};

use super::kernel::{self, Wanted};
use super::op::{DenseOps, Flat, Fourth, contiguous, forward, own, part, tensor, values};

use crate::tracked::tracked;

/// What the way back needs.
#[derive(Clone, Debug)]
struct State {
    x: Flat,
    fourth: Fourth,
    w: Flat,
    /// The output, where an activation cut it.
    cut: Option<Flat>,
}

/// Gradients of x, W, b and the fourth tensor, of those that are wanted.
fn backward(state: State, gradient: Flat, wanted: [bool; 4]) -> [Option<Flat>; 4] {
    let State { x, fourth, w, cut } = state;
    let [rows, inputs] = [x.shape()[0], x.shape()[1]];
    let outputs = w.shape()[1];
    // Written in place where nobody else holds it, copied first where somebody does.
    let mut gradient = own(gradient);
    let mut parts = vec![(part(&x), wanted[0])];
    if let Fourth::More(more) = &fourth {
        parts.push((part(more), wanted[3]));
    }
    let which = Wanted { weight: wanted[1], bias: wanted[2] };
    let cut = cut.as_ref().map(values);
    let length = rows * outputs;
    let values_of = &mut gradient.storage_mut::<f32>()[..length];
    let mut found = kernel::backward(rows, &parts, values(&w), cut, values_of, which);
    let more = match &fourth {
        Fourth::More(more) if found.parts.len() > 1 => {
            let width = more.shape()[1];
            found.parts.pop().flatten().map(|v| tensor(v, [rows, width]))
        }
        Fourth::Residual(_) => wanted[3].then_some(gradient),
        _ => None,
    };
    let x = found.parts.pop().flatten().map(|v| tensor(v, [rows, inputs]));
    let height = w.shape()[0];
    let weight = found.weight.map(|v| tensor(v, [height, outputs]));
    [x, weight, found.bias.map(|v| tensor(v, [outputs])), more]
}

macro_rules! backward_of {
    ($name:ident, $count:literal) => {
        #[derive(Debug)]
        struct $name;

        impl Backward<Flex, $count> for $name {
            type State = State;

            fn backward(self, ops: Ops<State, $count>, grads: &mut Gradients, _: &mut Checkpointer) {
                let gradient = grads.consume::<Flex>(&ops.node);
                let mut wanted = [false; 4];
                ops.parents.iter().zip(&mut wanted).for_each(|(p, w)| *w = p.is_some());
                let found = backward(ops.state, gradient, wanted);
                for (parent, gradient) in ops.parents.into_iter().zip(found) {
                    if let (Some(node), Some(gradient)) = (parent, gradient) {
                        grads.register::<Flex>(node.id, gradient);
                    }
                }
            }
        }
    };
}

backward_of!(OfThree, 3);
backward_of!(OfFour, 4);

type Tracked = FloatTensor<Autodiff<Flex>>;

/// Computes forward, and keeps what the way back needs.
fn keep(x: Flat, fourth: Fourth, w: Flat, b: &Flat, relu: bool) -> (State, Flat) {
    let output = forward(&x, &fourth, &w, b, relu);
    let cut = relu.then(|| output.clone());
    // The sum itself is not needed again.
    let fourth = match fourth {
        Fourth::Residual(_) => Fourth::Residual(b.clone()),
        other => other,
    };
    (State { x, fourth, w, cut }, output)
}

impl<C: CheckpointStrategy> DenseOps for Autodiff<Flex, C> {
    fn dense(x: Tracked, w: Tracked, b: Tracked, relu: bool) -> Tracked {
        let ((x, xn), (w, wn), (b, bn)) = (x.into_parts(), w.into_parts(), b.into_parts());
        let (state, output) = keep(contiguous(x), Fourth::Nothing, contiguous(w), &contiguous(b), relu);
        tracked!(OfThree, [xn, wn, bn], state, output)
    }

    fn dense_beside(x: Tracked, more: Tracked, w: Tracked, b: Tracked, relu: bool) -> Tracked {
        let ((x, xn), (w, wn), (b, bn)) = (x.into_parts(), w.into_parts(), b.into_parts());
        let (more, mn) = more.into_parts();
        let more = Fourth::More(contiguous(more));
        let (state, output) = keep(contiguous(x), more, contiguous(w), &contiguous(b), relu);
        tracked!(OfFour, [xn, wn, bn, mn], state, output)
    }

    fn dense_residual(x: Tracked, residual: Tracked, w: Tracked, b: Tracked, relu: bool) -> Tracked {
        let ((x, xn), (w, wn), (b, bn)) = (x.into_parts(), w.into_parts(), b.into_parts());
        let (residual, rn) = residual.into_parts();
        let residual = Fourth::Residual(contiguous(residual));
        let (state, output) = keep(contiguous(x), residual, contiguous(w), &contiguous(b), relu);
        tracked!(OfFour, [xn, wn, bn, rn], state, output)
    }
}
