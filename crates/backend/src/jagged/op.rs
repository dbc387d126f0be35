//! The two operations that all devices have, and their gradients, each the other.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, backend_extension};

use crate::tracked::tracked;

/// Rows and their positions; see [`super::spread`] and [`super::segment_sum`].
#[backend_extension(Flex, Cube: cfg(feature = "cube"), Autodiff)]
pub(crate) trait JaggedOps: Backend {
    /// `[B, d]` to `[positions, d]`.
    fn spread(
        x: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self>;

    /// `[positions, d]` to `[B, d]`.
    fn segment_sum(
        x: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self>;

    /// The largest of each row, at each of its positions: `[positions, d]` to `[positions, d]`; no gradient.
    fn segment_max(
        x: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self>;
}

/// Offsets and owners on the device, offsets on the host.
type Places<B> = (IntTensor<B>, IntTensor<B>, Arc<[u32]>);

#[derive(Debug)]
struct Spread;

impl<B: JaggedOps> Backward<B, 1> for Spread {
    type State = Places<B>;

    fn backward(self, ops: Ops<Places<B>, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let ([parent], (offsets, owners, host)) = (ops.parents, ops.state);
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::segment_sum(gradient, offsets, owners, host));
        }
    }
}

#[derive(Debug)]
struct Sum;

impl<B: JaggedOps> Backward<B, 1> for Sum {
    type State = Places<B>;

    fn backward(self, ops: Ops<Places<B>, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let ([parent], (offsets, owners, host)) = (ops.parents, ops.state);
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::spread(gradient, offsets, owners, host));
        }
    }
}

impl<B: JaggedOps, C: CheckpointStrategy> JaggedOps for Autodiff<B, C> {
    fn spread(
        x: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let output = B::spread(x, offsets.clone(), owners.clone(), host.clone());
        tracked!(Spread, [node], (offsets, owners, host), output)
    }

    fn segment_sum(
        x: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let output = B::segment_sum(x, offsets.clone(), owners.clone(), host.clone());
        tracked!(Sum, [node], (offsets, owners, host), output)
    }

    fn segment_max(
        x: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self> {
        use burn::backend::AutodiffBackend;
        Self::from_inner(B::segment_max(x.into_primitive(), offsets, owners, host))
    }
}
