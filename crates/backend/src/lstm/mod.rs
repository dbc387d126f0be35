//! Long short-term memories over sequences laid end to end, on devices with kernels: a launch forward, and back one through time with
//! products for the weights. Elsewhere models compose the steps.

#[cfg(feature = "cube")]
mod cube;
#[cfg(feature = "cube")]
mod kernel;
#[cfg(feature = "cube")]
mod op;
#[cfg(all(test, feature = "wgpu"))]
mod tests;

#[cfg(feature = "cube")]
use burn::backend::Dispatch;
use burn::tensor::{Device, Tensor};

use crate::jagged::Segments;
#[cfg(feature = "cube")]
use crate::kind::{has_kernels, is_flex};
#[cfg(feature = "cube")]
use op::LstmOps;

/// Widest state of the kernels: what a group keeps near it must fit any device.
#[cfg(feature = "cube")]
const WIDEST: usize = 512;

/// Whether [`lstm`] runs on a device, with states of a width.
#[cfg(feature = "cube")]
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
#[cfg(feature = "cube")]
pub fn lstm(xw: Tensor<2>, recurrent: Tensor<2>, peepholes: Tensor<2>, segments: &Segments) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as LstmOps>::lstm(
        xw.into_dispatch(),
        recurrent.into_dispatch(),
        peepholes.into_dispatch(),
        segments.on_device(),
        segments.host(),
    ))
}

/// No device of this build has kernels.
#[cfg(not(feature = "cube"))]
pub fn has_lstm(_device: &Device, _width: usize) -> bool {
    false
}

/// See the build with a GPU runtime.
///
/// # Panics
/// Always; [`has_lstm`] says no.
#[cfg(not(feature = "cube"))]
pub fn lstm(_xw: Tensor<2>, _recurrent: Tensor<2>, _peepholes: Tensor<2>, _segments: &Segments) -> Tensor<2> {
    unreachable!("no device of this build has kernels")
}
