//! The operation, with its way back through time.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, backend_extension};
use burn_cubecl::CubeBackend;

use crate::tracked::tracked;

/// See [`super::lstm`].
#[backend_extension(Cube, Autodiff)]
pub(crate) trait LstmOps: Backend {
    fn lstm(
        xw: FloatTensor<Self>,
        recurrent: FloatTensor<Self>,
        peepholes: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self>;
}

/// What goes in, row by row.
#[derive(Clone, Debug)]
pub(super) struct Operands<B: Backend> {
    /// `[positions, 4h]`
    pub(super) xw: FloatTensor<B>,
    /// `[h, 4h]`
    pub(super) recurrent: FloatTensor<B>,
    /// `[3, h]`
    pub(super) peepholes: FloatTensor<B>,
    /// Where each row starts, on the device and on the host.
    pub(super) offsets: IntTensor<B>,
    pub(super) host: Arc<[u32]>,
}

/// A backend that runs memories.
pub(super) trait Remembers: Backend {
    /// The same numbers row by row.
    fn plain(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The states `[positions, h]`, and what the way back needs beside them: i, f, o, the candidate and c' of each position,
    /// `[positions, 5h]`.
    fn forward(operands: &Operands<Self>) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// The gradients of what goes in from that of the states.
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
struct Lstm;

impl<B: Remembers> Backward<B, 3> for Lstm {
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

impl<B: Remembers + LstmOps, C: CheckpointStrategy> LstmOps for Autodiff<B, C> {
    fn lstm(
        xw: FloatTensor<Self>,
        recurrent: FloatTensor<Self>,
        peepholes: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self> {
        let ((xw, a), (recurrent, b), (peepholes, c)) =
            (xw.into_parts(), recurrent.into_parts(), peepholes.into_parts());
        let (xw, recurrent, peepholes) = (B::plain(xw), B::plain(recurrent), B::plain(peepholes));
        let operands = Operands::<B> { xw, recurrent, peepholes, offsets, host };
        let (states, kept) = B::forward(&operands);
        let output = states.clone();
        tracked!(Lstm, [a, b, c], State { operands, states, kept }, output)
    }
}

impl LstmOps for CubeBackend {
    fn lstm(
        xw: FloatTensor<Self>,
        recurrent: FloatTensor<Self>,
        peepholes: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self> {
        let (xw, recurrent, peepholes) = (Self::plain(xw), Self::plain(recurrent), Self::plain(peepholes));
        Self::forward(&Operands { xw, recurrent, peepholes, offsets, host }).0
    }
}
