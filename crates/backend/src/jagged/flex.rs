//! The operations on flex.

use std::sync::Arc;

use burn::backend::tensor::IntTensor;
use burn::backend::{Flex, TensorMetadata};

use super::kernel::Jagged;
use super::op::JaggedOps;
use crate::dense::{Flat, contiguous, tensor, values};

pub(super) fn jagged<'a>(host: &'a Arc<[u32]>, x: &Flat) -> Jagged<'a> {
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
