//! The operation, with its way back through time.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, backend_extension};

use super::update::Update;
use crate::tracked::tracked;

/// See [`super::gru`].
#[backend_extension(Flex, Cube: cfg(feature = "cube"), Autodiff)]
pub(crate) trait GruOps: Backend {
    fn gru(
        xw: FloatTensor<Self>,
        attention: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        host: Arc<[u32]>,
        update: Update,
    ) -> FloatTensor<Self>;
}

/// What goes in, row by row.
#[derive(Clone, Debug)]
pub(super) struct Operands<B: Backend> {
    /// `[positions, 3h]`
    pub(super) xw: FloatTensor<B>,
    /// `[positions, 1]`
    pub(super) attention: FloatTensor<B>,
    /// `[h, 3h]`
    pub(super) weight: FloatTensor<B>,
    /// Where each row starts, on the device and on the host.
    pub(super) offsets: IntTensor<B>,
    pub(super) host: Arc<[u32]>,
    pub(super) update: Update,
}

/// A backend that runs units.
pub(super) trait Recurs: Backend {
    /// The same numbers row by row.
    fn plain(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The states `[positions, h]`, and what the way back needs beside them: at every position u, r, c and `hU_c`,
    /// `[positions, 4h]`.
    fn forward(operands: &Operands<Self>) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// The gradients of `xw`, attention and weight from that of the states.
    fn backward(
        operands: &Operands<Self>,
        states: &FloatTensor<Self>,
        gates: &FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 3];
}

#[derive(Clone, Debug)]
struct State<B: Backend> {
    operands: Operands<B>,
    states: FloatTensor<B>,
    gates: FloatTensor<B>,
}

#[derive(Debug)]
struct Gru;

impl<B: Recurs> Backward<B, 3> for Gru {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = B::plain(grads.consume::<B>(&ops.node));
        let State { operands, states, gates } = ops.state;
        let found = B::backward(&operands, &states, &gates, gradient);
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: Recurs + GruOps, C: CheckpointStrategy> GruOps for Autodiff<B, C> {
    fn gru(
        xw: FloatTensor<Self>,
        attention: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        host: Arc<[u32]>,
        update: Update,
    ) -> FloatTensor<Self> {
        let ((xw, a), (attention, b), (weight, c)) = (xw.into_parts(), attention.into_parts(), weight.into_parts());
        let (xw, attention, weight) = (B::plain(xw), B::plain(attention), B::plain(weight));
        let operands = Operands::<B> { xw, attention, weight, offsets, host, update };
        let (states, gates) = B::forward(&operands);
        let output = states.clone();
        tracked!(Gru, [a, b, c], State { operands, states, gates }, output)
    }
}

macro_rules! ops_of {
    ($backend:ty) => {
        impl GruOps for $backend {
            fn gru(
                xw: FloatTensor<Self>,
                attention: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                offsets: IntTensor<Self>,
                host: Arc<[u32]>,
                update: Update,
            ) -> FloatTensor<Self> {
                let (xw, attention, weight) = (Self::plain(xw), Self::plain(attention), Self::plain(weight));
                Self::forward(&Operands { xw, attention, weight, offsets, host, update }).0
            }
        }
    };
}

ops_of!(burn::backend::Flex);
#[cfg(feature = "cube")]
ops_of!(burn_cubecl::CubeBackend);
