//! The operations on flex with their gradients.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata, backend_extension};

use super::{kernel, mixture};
use crate::dense::{Flat, contiguous, own, tensor, values};
use crate::tracked::tracked;

/// Layers and mixtures of experts; see [`super::layer_each`] and [`super::mixtures`].
#[backend_extension(Flex, Autodiff)]
pub(crate) trait ExpertOps: Backend {
    fn layer_each(x: FloatTensor<Self>, w: FloatTensor<Self>, b: FloatTensor<Self>, relu: bool) -> FloatTensor<Self>;

    /// `[B, G·E]` shares and `[B, E·h]` experts to `[B, G·h]`.
    fn mix(shares: FloatTensor<Self>, experts: FloatTensor<Self>, gates: usize) -> FloatTensor<Self>;
}

fn layer(x: &Flat, w: &Flat) -> kernel::Shape {
    let shape = w.shape();
    kernel::Shape { rows: x.shape()[0], experts: shape[0], from: shape[1], to: shape[2] }
}

fn mixing(shares: &Flat, experts: &Flat, gates: usize) -> mixture::Shape {
    let ([rows, all], wide) = ([shares.shape()[0], shares.shape()[1]], experts.shape()[1]);
    let count = all / gates.max(1);
    mixture::Shape { rows, gates, experts: count, width: wide / count.max(1) }
}

fn layer_forward(x: &Flat, w: &Flat, b: &Flat, relu: bool) -> Flat {
    let shape = layer(x, w);
    let output = kernel::forward(shape, values(x), values(w), values(b), relu);
    tensor(output, [shape.rows, shape.experts * shape.to])
}

fn mix_forward(shares: &Flat, experts: &Flat, gates: usize) -> Flat {
    let shape = mixing(shares, experts, gates);
    tensor(mixture::forward(shape, values(shares), values(experts)), [shape.rows, gates * shape.width])
}

impl ExpertOps for Flex {
    fn layer_each(x: Flat, w: Flat, b: Flat, relu: bool) -> Flat {
        layer_forward(&contiguous(x), &contiguous(w), &contiguous(b), relu)
    }

    fn mix(shares: Flat, experts: Flat, gates: usize) -> Flat {
        mix_forward(&contiguous(shares), &contiguous(experts), gates)
    }
}

/// What the way back of a layer needs.
#[derive(Clone, Debug)]
struct Layer {
    x: Flat,
    w: Flat,
    /// The output, where an activation cut it.
    cut: Option<Flat>,
}

#[derive(Debug)]
struct LayerEach;

impl Backward<Flex, 3> for LayerEach {
    type State = Layer;

    fn backward(self, ops: Ops<Layer, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = own(grads.consume::<Flex>(&ops.node));
        let (Layer { x, w, cut }, parents) = (ops.state, ops.parents);
        let shape = layer(&x, &w);
        let wanted = [parents[0].is_some(), parents[1].is_some(), parents[2].is_some()];
        let length = shape.rows * shape.experts * shape.to;
        let of_output = &mut gradient.storage_mut::<f32>()[..length];
        let [of_x, of_w, of_b] =
            kernel::backward(shape, values(&x), values(&w), cut.as_ref().map(values), of_output, wanted);
        let kernel::Shape { rows, experts, from, to } = shape;
        let found = [
            of_x.map(|v| tensor(v, [rows, experts * from])),
            of_w.map(|v| tensor(v, [experts, from, to])),
            of_b.map(|v| tensor(v, [experts, 1, to])),
        ];
        for (parent, gradient) in parents.into_iter().zip(found) {
            if let (Some(node), Some(gradient)) = (parent, gradient) {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct Mix;

impl Backward<Flex, 2> for Mix {
    type State = (Flat, Flat, usize);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(grads.consume::<Flex>(&ops.node));
        let (shares, experts, gates) = ops.state;
        let shape = mixing(&shares, &experts, gates);
        let [of_shares, of_experts] = mixture::backward(shape, values(&shares), values(&experts), values(&gradient));
        let found = [
            tensor(of_shares, [shape.rows, gates * shape.experts]),
            tensor(of_experts, [shape.rows, shape.experts * shape.width]),
        ];
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = parent {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

type Tracked = FloatTensor<Autodiff<Flex>>;

impl<C: CheckpointStrategy> ExpertOps for Autodiff<Flex, C> {
    fn layer_each(x: Tracked, w: Tracked, b: Tracked, relu: bool) -> Tracked {
        let ((x, xn), (w, wn), (b, bn)) = (x.into_parts(), w.into_parts(), b.into_parts());
        let (x, w) = (contiguous(x), contiguous(w));
        let output = layer_forward(&x, &w, &contiguous(b), relu);
        let cut = relu.then(|| output.clone());
        tracked!(LayerEach, [xn, wn, bn], Layer { x, w, cut }, output)
    }

    fn mix(shares: Tracked, experts: Tracked, gates: usize) -> Tracked {
        let ((shares, sn), (experts, en)) = (shares.into_parts(), experts.into_parts());
        let (shares, experts) = (contiguous(shares), contiguous(experts));
        let output = mix_forward(&shares, &experts, gates);
        tracked!(Mix, [sn, en], (shares, experts, gates), output)
    }
}
