//! Recurrent units over sequences laid end to end, each as one operation forward and one back through time.
//!
//! The map of all inputs is one matrix product before it (`xw`); a step multiplies the states of those rows alone that
//! still have a position, so that a batch costs what its rows are long, not what the longest is. On flex, blocks of rows
//! run side by side, each through its own time; on devices with kernels a group of threads does a row; elsewhere, and where states
//! are very wide, the steps are composed.

#[cfg(feature = "cube")]
mod cube;
mod flex;
mod gru_composed;
mod gru_flex;
#[cfg(feature = "cube")]
mod gru_kernel;
#[cfg(test)]
mod gru_tests;
#[cfg(feature = "cube")]
mod lstm_kernel;
#[cfg(all(test, feature = "wgpu"))]
mod lstm_tests;
mod op;
mod unit;

use burn::backend::Dispatch;
use burn::tensor::{Device, Tensor};

use crate::jagged::Segments;
use crate::kind::{has_kernels, is_flex};
use op::RecurrentOps;
use unit::Unit;
pub use unit::Update;

/// Widest state of the kernels: what a group keeps near it must fit any device.
const WIDEST: usize = 512;

fn through(operands: [Tensor<2>; 3], segments: &Segments, unit: Unit) -> Tensor<2> {
    let [a, b, c] = operands.map(Tensor::into_dispatch);
    let (offsets, host) = (segments.on_device(), segments.host());
    Tensor::from_dispatch(<Dispatch as RecurrentOps>::through(a, b, c, offsets, host, unit))
}

/// The states of a gated unit at all positions, from zero at the start of each row:
/// `u, r = σ(xw_u + hU_u), σ(xw_r + hU_r)`, `c = tanh(xw_c + r ⊙ hU_c)`, `h' = (1 - z) ⊙ h + z ⊙ c`.
///
/// # Shapes
/// - `xw`: `[positions, 3h]`, the parts of u, r and c side by side, biases included
/// - `attention`: `[positions, 1]`; unused under [`Update::Plain`]
/// - `weight`: U `[h, 3h]`
/// - output: `[positions, h]`
pub fn gru(xw: Tensor<2>, attention: Tensor<2>, weight: Tensor<2>, segments: &Segments, update: Update) -> Tensor<2> {
    let device = xw.device();
    match is_flex(&device) || has_kernels(&device) && weight.dims()[0] <= WIDEST {
        true => through([xw, attention, weight], segments, Unit::Gru(update)),
        false => gru_composed::gru(xw, attention, weight, segments, update),
    }
}

/// Whether [`lstm`] runs on a device, with states of a width.
pub fn has_lstm(device: &Device, width: usize) -> bool {
    has_kernels(device) && !is_flex(device) && width <= WIDEST
}

/// The states of a memory at all positions, from zeros at the start of each row, with peepholes into the gates:
/// `i, f = σ(xw + hU + C ⊙ c)`, `c' = f ⊙ c + i ⊙ tanh(xw + hU)`, `o = σ(xw + hU + C ⊙ c')`, `h' = o ⊙ tanh c'`.
///
/// # Shapes
/// - `xw`: `[positions, 4h]`, the parts of i, f, o and the candidate side by side, biases included
/// - `recurrent`: U `[h, 4h]`; `peepholes`: C of i, f and o `[3, h]`
/// - output: `[positions, h]`
///
/// # Panics
/// Where [`has_lstm`] says no.
pub fn lstm(xw: Tensor<2>, recurrent: Tensor<2>, peepholes: Tensor<2>, segments: &Segments) -> Tensor<2> {
    through([xw, recurrent, peepholes], segments, Unit::Lstm)
}
