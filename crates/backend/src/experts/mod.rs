//! Experts beside each other: a layer of every one, and mixtures of them.
//!
//! Composed of a tensor library's operations, a layer turns `[B, E·h]` to `[E, B, h]` and back, and a mixture writes every expert
//! down again for each gate. On flex both are one operation that reads experts where they are; elsewhere they are composed.

mod kernel;
mod mixture;
mod op;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::dense::{Activation, activate};
use crate::kind::is_flex;
use crate::parts::linear_each;
use op::ExpertOps;

/// `act(x_e·W_e + b_e)` of every expert.
///
/// # Shapes
/// - `x`: `[B, E·i]`, expert after expert; `weight`: `[E, i, o]`; `bias`: `[E, 1, o]`
/// - output: `[B, E·o]`
pub fn layer_each(x: Tensor<2>, weight: Tensor<3>, bias: Tensor<3>, activation: Activation) -> Tensor<2> {
    if is_flex(&x.device()) {
        let act = activation == Activation::Relu;
        let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
        return Tensor::from_dispatch(<Dispatch as ExpertOps>::layer_each(x, weight, bias, act));
    }
    composed_layer(x, weight, bias, activation)
}

fn composed_layer(x: Tensor<2>, weight: Tensor<3>, bias: Tensor<3>, activation: Activation) -> Tensor<2> {
    let ([rows, _], [experts, inputs, outputs]) = (x.dims(), weight.dims());
    let each = x.reshape([rows, experts, inputs]).swap_dims(0, 1); // [E, B, i]
    let each = activate(linear_each(each, weight, bias), activation); // [E, B, o]
    each.swap_dims(0, 1).reshape([rows, experts * outputs])
}

/// The experts by the shares of every gate.
///
/// # Shapes
/// - `shares`: `[B, E]`, one a gate, at least one; `experts`: `[B, E·h]`
/// - output: `[B, h]`, one a gate
pub fn mixtures(shares: Vec<Tensor<2>>, experts: Tensor<2>) -> Vec<Tensor<2>> {
    if !is_flex(&experts.device()) {
        return shares.into_iter().map(|own| composed_mixture(own, experts.clone())).collect();
    }
    let (gates, [rows, count]) = (shares.len(), shares[0].dims());
    let width = experts.dims()[1] / count;
    let all = Tensor::cat(shares, 1); // [B, G·E]
    let mixed = <Dispatch as ExpertOps>::mix(all.into_dispatch(), experts.into_dispatch(), gates);
    let mixed = Tensor::<2>::from_dispatch(mixed); // [B, G·h]
    match gates {
        1 => vec![mixed],
        _ => (0..gates).map(|gate| mixed.clone().slice([0..rows, gate * width..(gate + 1) * width])).collect(),
    }
}

fn composed_mixture(shares: Tensor<2>, experts: Tensor<2>) -> Tensor<2> {
    let ([rows, count], width) = (shares.dims(), experts.dims()[1]);
    let each = experts.reshape([rows, count, width / count]); // [B, E, h]
    (each * shares.unsqueeze_dim::<3>(2)).sum_dim(1).reshape([rows, width / count])
}
