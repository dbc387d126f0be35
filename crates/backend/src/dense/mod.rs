//! A fully connected layer as one operation: `y = act(x·W + b)`, forward and backward.
//!
//! Composed of Burn's own operations it is a product, a sum, a maximum, and as many passes over memory back. On flex
//! the operation here does its elementwise work on rows that are still in cache, never zero-fills what it is about to
//! write, and splits the weights' gradient over the batch. On devices with kernels it is one launch forward and three back, of
//! which the weights' gradient is split over the batch too. Elsewhere it is composed.

#[cfg(feature = "cube")]
mod cube;
mod flex;
mod grad;
mod kernel;
mod op;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::kind::has_kernels;
use crate::parts::{add_row, product_in_parts};
#[cfg(feature = "cube")]
pub(crate) use cube::{before_relu, outer_back, outer_forward, weight_gradient};
pub(crate) use flex::{Flat, contiguous, own, tensor, values};
pub(crate) use kernel::{Matrix, add, blocks, finish, mask, product as matrix_product, product_into, total};
use op::DenseOps;

/// What follows the linear part of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `max(z, 0)`.
    Relu,
}

/// `act(x·W + b)`.
///
/// # Shapes
/// - `x`: `[B, in]`, `weight`: `[in, out]`, `bias`: `[out]`
/// - output: `[B, out]`
pub fn dense(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, activation: Activation) -> Tensor<2> {
    if !has_kernels(&x.device()) {
        return activate(add_row(product(x, weight), bias.unsqueeze::<2>()), activation);
    }
    let act = activation == Activation::Relu;
    Tensor::from_dispatch(<Dispatch as DenseOps>::dense(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        act,
    ))
}

/// `act([x, more]·W + b)` without making `[x, more]`.
///
/// # Shapes
/// - `x`: `[B, i]`, `more`: `[B, j]`, `weight`: `[i + j, out]`, `bias`: `[out]`
/// - output: `[B, out]`
pub fn dense_beside(
    x: Tensor<2>,
    more: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    activation: Activation,
) -> Tensor<2> {
    if !has_kernels(&x.device()) {
        return dense(Tensor::cat(vec![x, more], 1), weight, bias, activation);
    }
    let act = activation == Activation::Relu;
    Tensor::from_dispatch(<Dispatch as DenseOps>::dense_beside(
        x.into_dispatch(),
        more.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        act,
    ))
}

/// `act(x·W + b + residual)`.
///
/// # Shapes
/// - `x`: `[B, in]`, `residual`: `[B, out]`, `weight`: `[in, out]`, `bias`: `[out]`
/// - output: `[B, out]`
pub fn dense_residual(
    x: Tensor<2>,
    residual: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    activation: Activation,
) -> Tensor<2> {
    if !has_kernels(&x.device()) {
        return activate(add_row(product(x, weight), bias.unsqueeze::<2>()) + residual, activation);
    }
    let act = activation == Activation::Relu;
    Tensor::from_dispatch(<Dispatch as DenseOps>::dense_residual(
        x.into_dispatch(),
        residual.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        act,
    ))
}

/// `x·W + residual`.
///
/// # Shapes
/// - `x`: `[B, in]`, `residual`: `[B, out]`, `weight`: `[in, out]`
/// - output: `[B, out]`
pub fn dense_plus(x: Tensor<2>, residual: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    if !has_kernels(&x.device()) {
        return product(x, weight) + residual;
    }
    Tensor::from_dispatch(<Dispatch as DenseOps>::dense_plus(
        x.into_dispatch(),
        residual.into_dispatch(),
        weight.into_dispatch(),
    ))
}

/// `x·W`.
///
/// # Shapes
/// - `x`: `[B, in]`, `weight`: `[in, out]`
/// - output: `[B, out]`
pub fn product(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    if !has_kernels(&x.device()) {
        return product_in_parts(x, weight);
    }
    Tensor::from_dispatch(<Dispatch as DenseOps>::multiply(x.into_dispatch(), weight.into_dispatch()))
}

pub(crate) fn activate<const D: usize>(z: Tensor<D>, activation: Activation) -> Tensor<D> {
    match activation {
        Activation::Identity => z,
        Activation::Relu => relu(z),
    }
}
