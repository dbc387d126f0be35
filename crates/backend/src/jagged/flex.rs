//! The operations on flex.

use std::sync::Arc;

use burn::backend::tensor::IntTensor;
use burn::backend::{Flex, TensorMetadata};
use rayon::prelude::*;

use super::fused::{Attends, Places};
use super::kernel::Jagged;
use super::op::JaggedOps;
use crate::dense::{Flat, contiguous, own, tensor, values};
use crate::vectorized;

fn jagged<'a>(host: &'a Arc<[u32]>, x: &Flat) -> Jagged<'a> {
    Jagged { offsets: host, width: x.shape()[1] }
}

impl JaggedOps for Flex {
    fn spread(x: Flat, _: IntTensor<Self>, _: IntTensor<Self>, host: Arc<[u32]>) -> Flat {
        let x = contiguous(x);
        let jagged = jagged(&host, &x);
        tensor(jagged.spread(values(&x)), [jagged.positions(), jagged.width])
    }

    fn segment_sum(x: Flat, _: IntTensor<Self>, _: IntTensor<Self>, host: Arc<[u32]>) -> Flat {
        let x = contiguous(x);
        let jagged = jagged(&host, &x);
        tensor(jagged.sum(values(&x)), [jagged.rows(), jagged.width])
    }

    fn segment_max(x: Flat, _: IntTensor<Self>, _: IntTensor<Self>, host: Arc<[u32]>) -> Flat {
        let x = contiguous(x);
        let jagged = jagged(&host, &x);
        tensor(jagged.max(values(&x)), [jagged.positions(), jagged.width])
    }
}

impl Attends for Flex {
    fn plain(tensor: Flat) -> Flat {
        contiguous(tensor)
    }

    fn mul(keys: &Flat, query: &Flat, places: &Places<Self>) -> Flat {
        let jagged = jagged(&places.host, keys);
        tensor(jagged.mul(values(keys), values(query)), [jagged.positions(), jagged.width])
    }

    fn sum_of_products(a: &Flat, b: &Flat, places: &Places<Self>) -> Flat {
        let jagged = jagged(&places.host, a);
        tensor(jagged.sum_of_products(values(a), values(b)), [jagged.rows(), jagged.width])
    }

    fn add(z: &Flat, u: &Flat, places: &Places<Self>, rectify: bool) -> Flat {
        let jagged = jagged(&places.host, z);
        tensor(jagged.add(values(z), values(u), rectify), [jagged.positions(), jagged.width])
    }

    fn masked(gradient: Flat, output: &Flat) -> Flat {
        let (mut gradient, cut) = (own(gradient), values(output));
        let g = &mut gradient.storage_mut::<f32>()[..cut.len()];
        g.par_chunks_mut(1 << 14).zip(cut.par_chunks(1 << 14)).for_each(|(g, y)| {
            vectorized!(g.iter_mut().zip(y).for_each(|(g, y)| *g = if *y > 0.0 { *g } else { 0.0 }));
        });
        gradient
    }

    fn weigh(keys: &Flat, weights: &Flat, places: &Places<Self>) -> Flat {
        let jagged = jagged(&places.host, keys);
        tensor(jagged.weigh(values(keys), values(weights)), [jagged.rows(), jagged.width])
    }

    fn dots(keys: &Flat, gradient: &Flat, places: &Places<Self>) -> Flat {
        let jagged = jagged(&places.host, keys);
        tensor(jagged.dots(values(keys), values(gradient)), [jagged.positions(), 1])
    }

    fn weigh_back(weights: &Flat, gradient: &Flat, places: &Places<Self>) -> Flat {
        let jagged = jagged(&places.host, gradient);
        tensor(jagged.weigh_back(values(weights), values(gradient)), [jagged.positions(), jagged.width])
    }

    fn shares(scores: &Flat, places: &Places<Self>) -> Flat {
        let jagged = jagged(&places.host, scores);
        tensor(jagged.shares(values(scores)), [jagged.positions(), 1])
    }

    fn shares_back(shares: &Flat, gradient: &Flat, places: &Places<Self>) -> Flat {
        let jagged = jagged(&places.host, shares);
        tensor(jagged.shares_back(values(shares), values(gradient)), [jagged.positions(), 1])
    }
}
