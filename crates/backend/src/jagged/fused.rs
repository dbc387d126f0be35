//! What attention is made of: a pass each, forward and backward.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, backend_extension};

use super::op::JaggedOps;
use crate::tracked::tracked;

/// See [`super::spread_mul`], [`super::spread_add`], [`super::weighted_sum`] and [`super::segment_softmax`].
#[backend_extension(Flex, Cube: cfg(feature = "cube"), Autodiff)]
pub(crate) trait FusedOps: Backend {
    fn spread_mul(
        keys: FloatTensor<Self>,
        query: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self>;

    fn spread_add(
        z: FloatTensor<Self>,
        u: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
        rectify: bool,
    ) -> FloatTensor<Self>;

    fn weighted_sum(
        keys: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self>;

    fn softmax(
        scores: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self>;
}

/// Where positions are: offsets and owners on the device, offsets on the host.
#[derive(Clone, Debug)]
pub(super) struct Places<B: Backend> {
    pub(super) offsets: IntTensor<B>,
    pub(super) owners: IntTensor<B>,
    pub(super) host: Arc<[u32]>,
}

/// What a backend computes of them, of plain tensors.
pub(super) trait Attends: JaggedOps {
    /// The same numbers row by row.
    fn plain(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `keys ⊙ spread(query)`.
    fn mul(keys: &FloatTensor<Self>, query: &FloatTensor<Self>, places: &Places<Self>) -> FloatTensor<Self>;

    /// The sums of `a ⊙ b` over the positions of each row.
    fn sum_of_products(a: &FloatTensor<Self>, b: &FloatTensor<Self>, places: &Places<Self>) -> FloatTensor<Self>;

    /// `act(z + spread(u))`.
    fn add(z: &FloatTensor<Self>, u: &FloatTensor<Self>, places: &Places<Self>, rectify: bool) -> FloatTensor<Self>;

    /// The gradient where the output is above zero.
    fn masked(gradient: FloatTensor<Self>, output: &FloatTensor<Self>) -> FloatTensor<Self>;

    /// The sums of `weights · keys` over the positions of each row.
    fn weigh(keys: &FloatTensor<Self>, weights: &FloatTensor<Self>, places: &Places<Self>) -> FloatTensor<Self>;

    /// `<keys, spread(gradient)>`.
    fn dots(keys: &FloatTensor<Self>, gradient: &FloatTensor<Self>, places: &Places<Self>) -> FloatTensor<Self>;

    /// `weights · spread(gradient)`.
    fn weigh_back(
        weights: &FloatTensor<Self>,
        gradient: &FloatTensor<Self>,
        places: &Places<Self>,
    ) -> FloatTensor<Self>;

    /// The softmax of scores `[positions, 1]` over the positions of each row.
    fn shares(scores: &FloatTensor<Self>, places: &Places<Self>) -> FloatTensor<Self>;

    /// `p ⊙ (gradient - <p, gradient>)` of each row.
    fn shares_back(
        shares: &FloatTensor<Self>,
        gradient: &FloatTensor<Self>,
        places: &Places<Self>,
    ) -> FloatTensor<Self>;
}

#[derive(Debug)]
struct Mul;

impl<B: Attends> Backward<B, 2> for Mul {
    type State = (FloatTensor<B>, FloatTensor<B>, Places<B>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = B::plain(grads.consume::<B>(&ops.node));
        let ([to_keys, to_query], (keys, query, places)) = (ops.parents, ops.state);
        if let Some(node) = to_query {
            grads.register::<B>(node.id, B::sum_of_products(&gradient, &keys, &places));
        }
        if let Some(node) = to_keys {
            grads.register::<B>(node.id, B::mul(&gradient, &query, &places));
        }
    }
}

#[derive(Debug)]
struct Add;

impl<B: Attends> Backward<B, 2> for Add {
    /// The output where it was cut at zero.
    type State = (Option<FloatTensor<B>>, Places<B>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let ([to_z, to_u], (cut, places)) = (ops.parents, ops.state);
        let gradient = match cut {
            Some(cut) => B::masked(gradient, &cut),
            None => B::plain(gradient),
        };
        if let Some(node) = to_u {
            let Places { offsets, owners, host } = places;
            grads.register::<B>(node.id, B::segment_sum(gradient.clone(), offsets, owners, host));
        }
        if let Some(node) = to_z {
            grads.register::<B>(node.id, gradient);
        }
    }
}

#[derive(Debug)]
struct Weigh;

impl<B: Attends> Backward<B, 2> for Weigh {
    type State = (FloatTensor<B>, FloatTensor<B>, Places<B>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = B::plain(grads.consume::<B>(&ops.node));
        let ([to_keys, to_weights], (keys, weights, places)) = (ops.parents, ops.state);
        if let Some(node) = to_weights {
            grads.register::<B>(node.id, B::dots(&keys, &gradient, &places));
        }
        if let Some(node) = to_keys {
            grads.register::<B>(node.id, B::weigh_back(&weights, &gradient, &places));
        }
    }
}

#[derive(Debug)]
struct Share;

impl<B: Attends> Backward<B, 1> for Share {
    type State = (FloatTensor<B>, Places<B>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = B::plain(grads.consume::<B>(&ops.node));
        let ([to_scores], (shares, places)) = (ops.parents, ops.state);
        if let Some(node) = to_scores {
            grads.register::<B>(node.id, B::shares_back(&shares, &gradient, &places));
        }
    }
}

impl<B: Attends + FusedOps, C: CheckpointStrategy> FusedOps for Autodiff<B, C> {
    fn softmax(
        scores: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self> {
        let (scores, a) = scores.into_parts();
        let places = Places::<B> { offsets, owners, host };
        let output = B::shares(&B::plain(scores), &places);
        let shares = output.clone();
        tracked!(Share, [a], (shares, places), output)
    }

    fn spread_mul(
        keys: FloatTensor<Self>,
        query: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self> {
        let ((keys, a), (query, b)) = (keys.into_parts(), query.into_parts());
        let (keys, query, places) = (B::plain(keys), B::plain(query), Places { offsets, owners, host });
        let output = B::mul(&keys, &query, &places);
        tracked!(Mul, [a, b], (keys, query, places), output)
    }

    fn spread_add(
        z: FloatTensor<Self>,
        u: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
        rectify: bool,
    ) -> FloatTensor<Self> {
        let ((z, a), (u, b)) = (z.into_parts(), u.into_parts());
        let places = Places::<B> { offsets, owners, host };
        let output = B::add(&B::plain(z), &B::plain(u), &places, rectify);
        let cut = rectify.then(|| output.clone());
        tracked!(Add, [a, b], (cut, places), output)
    }

    fn weighted_sum(
        keys: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        owners: IntTensor<Self>,
        host: Arc<[u32]>,
    ) -> FloatTensor<Self> {
        let ((keys, a), (weights, b)) = (keys.into_parts(), weights.into_parts());
        let (keys, weights, places) = (B::plain(keys), B::plain(weights), Places { offsets, owners, host });
        let output = B::weigh(&keys, &weights, &places);
        tracked!(Weigh, [a, b], (keys, weights, places), output)
    }
}

macro_rules! ops_of {
    ($backend:ty) => {
        impl FusedOps for $backend {
            fn spread_mul(
                keys: FloatTensor<Self>,
                query: FloatTensor<Self>,
                offsets: IntTensor<Self>,
                owners: IntTensor<Self>,
                host: Arc<[u32]>,
            ) -> FloatTensor<Self> {
                Self::mul(&Self::plain(keys), &Self::plain(query), &Places { offsets, owners, host })
            }

            fn spread_add(
                z: FloatTensor<Self>,
                u: FloatTensor<Self>,
                offsets: IntTensor<Self>,
                owners: IntTensor<Self>,
                host: Arc<[u32]>,
                rectify: bool,
            ) -> FloatTensor<Self> {
                Self::add(&Self::plain(z), &Self::plain(u), &Places { offsets, owners, host }, rectify)
            }

            fn weighted_sum(
                keys: FloatTensor<Self>,
                weights: FloatTensor<Self>,
                offsets: IntTensor<Self>,
                owners: IntTensor<Self>,
                host: Arc<[u32]>,
            ) -> FloatTensor<Self> {
                Self::weigh(&Self::plain(keys), &Self::plain(weights), &Places { offsets, owners, host })
            }

            fn softmax(
                scores: FloatTensor<Self>,
                offsets: IntTensor<Self>,
                owners: IntTensor<Self>,
                host: Arc<[u32]>,
            ) -> FloatTensor<Self> {
                Self::shares(&Self::plain(scores), &Places { offsets, owners, host })
            }
        }
    };
}

ops_of!(burn::backend::Flex);
#[cfg(feature = "cube")]
ops_of!(burn_cubecl::CubeBackend);
