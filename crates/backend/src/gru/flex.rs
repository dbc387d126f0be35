//! The operation on flex, with its way back through time.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata, backend_extension};

use super::Update;
use super::kernel::Unit;
use crate::dense::{Flat, contiguous, tensor, values};
use crate::tracked::tracked;

/// See [`super::gru`].
#[backend_extension(Flex, Autodiff)]
pub(crate) trait GruOps: Backend {
    fn gru(
        xw: FloatTensor<Self>,
        attention: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        host: Arc<[u32]>,
        update: Update,
    ) -> FloatTensor<Self>;
}

fn unit<'a>(operands: &'a [Flat; 3], host: &'a Arc<[u32]>, update: Update) -> Unit<'a> {
    let [xw, attention, weight] = operands;
    Unit {
        offsets: host,
        xw: values(xw),
        attention: values(attention),
        weight: values(weight),
        width: weight.shape()[0],
        update,
    }
}

impl GruOps for Flex {
    fn gru(xw: Flat, attention: Flat, weight: Flat, host: Arc<[u32]>, update: Update) -> Flat {
        let operands = [contiguous(xw), contiguous(attention), contiguous(weight)];
        let unit = unit(&operands, &host, update);
        let width = unit.width;
        let states = unit.forward().states;
        let positions = states.len() / width.max(1);
        tensor(states, [positions, width])
    }
}

#[derive(Clone, Debug)]
struct State {
    operands: [Flat; 3],
    states: Flat,
    gates: Arc<Vec<f32>>,
    host: Arc<[u32]>,
    update: Update,
}

#[derive(Debug)]
struct Gru;

impl Backward<Flex, 3> for Gru {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(grads.consume::<Flex>(&ops.node));
        let State { operands, states, gates, host, update } = ops.state;
        let unit = unit(&operands, &host, update);
        let (h, found) = (unit.width, unit.backward(values(&states), &gates, values(&gradient)));
        let positions = states.shape()[0];
        let [to_xw, to_attention, to_weight] = ops.parents;
        if let Some(node) = to_xw {
            grads.register::<Flex>(node.id, tensor(found.xw, [positions, 3 * h]));
        }
        if let Some(node) = to_attention {
            grads.register::<Flex>(node.id, tensor(found.attention, [positions, 1]));
        }
        if let Some(node) = to_weight {
            grads.register::<Flex>(node.id, tensor(found.weight, [h, 3 * h]));
        }
    }
}

impl<C: CheckpointStrategy> GruOps for Autodiff<Flex, C> {
    fn gru(
        xw: FloatTensor<Self>,
        attention: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        host: Arc<[u32]>,
        update: Update,
    ) -> FloatTensor<Self> {
        let ((xw, a), (attention, b), (weight, c)) = (xw.into_parts(), attention.into_parts(), weight.into_parts());
        let operands = [contiguous(xw), contiguous(attention), contiguous(weight)];
        let unit = unit(&operands, &host, update);
        let (width, forward) = (unit.width, unit.forward());
        let positions = forward.states.len() / width.max(1);
        let states = tensor(forward.states, [positions, width]);
        let output = states.clone();
        let gates = Arc::new(forward.gates);
        tracked!(Gru, [a, b, c], State { operands, states, gates, host, update }, output)
    }
}
