//! A recurrent unit as one operation, with its way back through time.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, backend_extension};

use super::unit::Unit;
use crate::tracked::tracked;

/// See [`super::gru`] and [`super::lstm`].
#[backend_extension(Flex, Cube: cfg(feature = "cube"), Autodiff)]
pub(crate) trait RecurrentOps: Backend {
    fn through(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        host: Arc<[u32]>,
        unit: Unit,
    ) -> FloatTensor<Self>;
}

/// What goes in, row by row.
#[derive(Clone, Debug)]
pub(super) struct Operands<B: Backend> {
    pub(super) unit: Unit,
    /// What [`Unit`] says.
    pub(super) of: [FloatTensor<B>; 3],
    /// Where each row starts, on the device and on the host.
    pub(super) offsets: IntTensor<B>,
    pub(super) host: Arc<[u32]>,
}

/// A backend that runs units.
pub(super) trait Recurs: Backend {
    /// The same numbers row by row.
    fn plain(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The states `[positions, h]`, and what the way back needs beside them at every position: of a gated unit u, r, c and `hU_c`, of
    /// a memory i, f, o, the candidate and c'.
    fn forward(operands: &Operands<Self>) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// The gradients of the operands from that of the states.
    fn backward(
        operands: &Operands<Self>,
        states: &FloatTensor<Self>,
        kept: &FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 3];
}

#[derive(Clone, Debug)]
struct State<B: Backend> {
    operands: Operands<B>,
    states: FloatTensor<B>,
    kept: FloatTensor<B>,
}

#[derive(Debug)]
struct Through;

impl<B: Recurs> Backward<B, 3> for Through {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = B::plain(grads.consume::<B>(&ops.node));
        let State { operands, states, kept } = ops.state;
        let found = B::backward(&operands, &states, &kept, gradient);
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: Recurs + RecurrentOps, C: CheckpointStrategy> RecurrentOps for Autodiff<B, C> {
    fn through(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        host: Arc<[u32]>,
        unit: Unit,
    ) -> FloatTensor<Self> {
        let ((a, to_a), (b, to_b), (c, to_c)) = (a.into_parts(), b.into_parts(), c.into_parts());
        let operands = Operands::<B> { unit, of: [a, b, c].map(B::plain), offsets, host };
        let (states, kept) = B::forward(&operands);
        let output = states.clone();
        tracked!(Through, [to_a, to_b, to_c], State { operands, states, kept }, output)
    }
}

macro_rules! ops_of {
    ($backend:ty) => {
        impl RecurrentOps for $backend {
            fn through(
                a: FloatTensor<Self>,
                b: FloatTensor<Self>,
                c: FloatTensor<Self>,
                offsets: IntTensor<Self>,
                host: Arc<[u32]>,
                unit: Unit,
            ) -> FloatTensor<Self> {
                Self::forward(&Operands { unit, of: [a, b, c].map(Self::plain), offsets, host }).0
            }
        }
    };
}

ops_of!(burn::backend::Flex);
#[cfg(feature = "cube")]
ops_of!(burn_cubecl::CubeBackend);
