//! What attention is made of, on flex: a pass each, forward and backward.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};

use super::flex::jagged;
use super::kernel::Jagged;
use crate::dense::{Flat, contiguous, own, tensor, values};
use crate::tracked::tracked;

/// See [`super::spread_mul`], [`super::spread_add`] and [`super::weighted_sum`].
#[backend_extension(Flex, Autodiff)]
pub(crate) trait FusedOps: Backend {
    fn spread_mul(keys: FloatTensor<Self>, query: FloatTensor<Self>, host: Arc<[u32]>) -> FloatTensor<Self>;

    fn spread_add(z: FloatTensor<Self>, u: FloatTensor<Self>, host: Arc<[u32]>, rectify: bool) -> FloatTensor<Self>;

    fn weighted_sum(keys: FloatTensor<Self>, weights: FloatTensor<Self>, host: Arc<[u32]>) -> FloatTensor<Self>;
}

impl FusedOps for Flex {
    fn spread_mul(keys: Flat, query: Flat, host: Arc<[u32]>) -> Flat {
        let (keys, query) = (contiguous(keys), contiguous(query));
        let jagged = jagged(&host, &keys);
        tensor(jagged.mul(values(&keys), values(&query)), [jagged.positions(), jagged.width])
    }

    fn spread_add(z: Flat, u: Flat, host: Arc<[u32]>, rectify: bool) -> Flat {
        let (z, u) = (contiguous(z), contiguous(u));
        let jagged = jagged(&host, &z);
        tensor(jagged.add(values(&z), values(&u), rectify), [jagged.positions(), jagged.width])
    }

    fn weighted_sum(keys: Flat, weights: Flat, host: Arc<[u32]>) -> Flat {
        let (keys, weights) = (contiguous(keys), contiguous(weights));
        let jagged = jagged(&host, &keys);
        tensor(jagged.weigh(values(&keys), values(&weights)), [jagged.rows(), jagged.width])
    }
}

#[derive(Debug)]
struct Mul;

impl Backward<Flex, 2> for Mul {
    type State = (Flat, Flat, Arc<[u32]>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(grads.consume::<Flex>(&ops.node));
        let ([to_keys, to_query], (keys, query, host)) = (ops.parents, ops.state);
        let jagged = jagged(&host, &keys);
        let g = values(&gradient);
        if let Some(node) = to_query {
            let sum = jagged.sum_of_products(g, values(&keys));
            grads.register::<Flex>(node.id, tensor(sum, [jagged.rows(), jagged.width]));
        }
        if let Some(node) = to_keys {
            let product = jagged.mul(g, values(&query));
            grads.register::<Flex>(node.id, tensor(product, [jagged.positions(), jagged.width]));
        }
    }
}

#[derive(Debug)]
struct Add;

impl Backward<Flex, 2> for Add {
    /// The output where it was cut at zero.
    type State = (Option<Flat>, Arc<[u32]>, usize);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node);
        let ([to_z, to_u], (cut, host, width)) = (ops.parents, ops.state);
        let jagged = Jagged { offsets: &host, width };
        let gradient = match cut {
            Some(cut) => masked(own(gradient), &cut),
            None => contiguous(gradient),
        };
        if let Some(node) = to_u {
            let sum = jagged.sum(values(&gradient));
            grads.register::<Flex>(node.id, tensor(sum, [jagged.rows(), width]));
        }
        if let Some(node) = to_z {
            grads.register::<Flex>(node.id, gradient);
        }
    }
}

/// The gradient where the output is above zero.
fn masked(mut gradient: Flat, cut: &Flat) -> Flat {
    use rayon::prelude::*;
    let cut = values(cut);
    let g = &mut gradient.storage_mut::<f32>()[..cut.len()];
    g.par_chunks_mut(1 << 14).zip(cut.par_chunks(1 << 14)).for_each(|(g, y)| {
        crate::vector::vectorized(|| g.iter_mut().zip(y).for_each(|(g, y)| *g = if *y > 0.0 { *g } else { 0.0 }));
    });
    gradient
}

#[derive(Debug)]
struct Weigh;

impl Backward<Flex, 2> for Weigh {
    type State = (Flat, Flat, Arc<[u32]>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(grads.consume::<Flex>(&ops.node));
        let ([to_keys, to_weights], (keys, weights, host)) = (ops.parents, ops.state);
        let jagged = jagged(&host, &keys);
        let g = values(&gradient);
        if let Some(node) = to_weights {
            let dots = jagged.dots(values(&keys), g);
            grads.register::<Flex>(node.id, tensor(dots, [jagged.positions(), 1]));
        }
        if let Some(node) = to_keys {
            let back = jagged.weigh_back(values(&weights), g);
            grads.register::<Flex>(node.id, tensor(back, [jagged.positions(), jagged.width]));
        }
    }
}

impl<C: CheckpointStrategy> FusedOps for Autodiff<Flex, C> {
    fn spread_mul(keys: FloatTensor<Self>, query: FloatTensor<Self>, host: Arc<[u32]>) -> FloatTensor<Self> {
        let ((keys, a), (query, b)) = (keys.into_parts(), query.into_parts());
        let (keys, query) = (contiguous(keys), contiguous(query));
        let output = Flex::spread_mul(keys.clone(), query.clone(), host.clone());
        tracked!(Mul, [a, b], (keys, query, host), output)
    }

    fn spread_add(z: FloatTensor<Self>, u: FloatTensor<Self>, host: Arc<[u32]>, rectify: bool) -> FloatTensor<Self> {
        use burn::backend::TensorMetadata;
        let ((z, a), (u, b)) = (z.into_parts(), u.into_parts());
        let width = z.shape()[1];
        let output = Flex::spread_add(z, u, host.clone(), rectify);
        let cut = rectify.then(|| output.clone());
        tracked!(Add, [a, b], (cut, host, width), output)
    }

    fn weighted_sum(keys: FloatTensor<Self>, weights: FloatTensor<Self>, host: Arc<[u32]>) -> FloatTensor<Self> {
        let ((keys, a), (weights, b)) = (keys.into_parts(), weights.into_parts());
        let (keys, weights) = (contiguous(keys), contiguous(weights));
        let output = Flex::weighted_sum(keys.clone(), weights.clone(), host.clone());
        tracked!(Weigh, [a, b], (keys, weights, host), output)
    }
}
