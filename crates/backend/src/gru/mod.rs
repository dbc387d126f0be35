//! Gated recurrent units over sequences laid end to end, as one operation forward and one back through time.
//!
//! The map of all inputs is one matrix product before it (`xw`); a step multiplies the states of those rows alone that
//! still have a position, so that a batch costs what its rows are long, not what the longest is. On flex, blocks of rows
//! run side by side, each through its own time; on devices with kernels a group does a row; elsewhere, and where states are very
//! wide, the steps are composed.

mod composed;
#[cfg(feature = "cube")]
mod cube;
#[cfg(feature = "cube")]
mod cube_kernel;
mod flex;
mod kernel;
mod op;
#[cfg(test)]
mod tests;
mod update;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::jagged::Segments;
use crate::kind::{has_kernels, is_flex};
use op::GruOps;
pub use update::Update;

/// Widest state of the kernels: what a group keeps near it must fit any device.
const WIDEST: usize = 512;

/// The states of a unit at all positions, from zero at the start of each row:
/// `u, r = σ(xw_u + hU_u), σ(xw_r + hU_r)`, `c = tanh(xw_c + r ⊙ hU_c)`, `h' = (1 - z) ⊙ h + z ⊙ c`.
///
/// # Shapes
/// - `xw`: `[positions, 3h]`, the parts of u, r and c side by side, biases included
/// - `attention`: `[positions, 1]`; unused under [`Update::Plain`]
/// - `weight`: U `[h, 3h]`
/// - output: `[positions, h]`
pub fn gru(xw: Tensor<2>, attention: Tensor<2>, weight: Tensor<2>, segments: &Segments, update: Update) -> Tensor<2> {
    let device = xw.device();
    if !(is_flex(&device) || has_kernels(&device) && weight.dims()[0] <= WIDEST) {
        return composed::gru(xw, attention, weight, segments, update);
    }
    Tensor::from_dispatch(<Dispatch as GruOps>::gru(
        xw.into_dispatch(),
        attention.into_dispatch(),
        weight.into_dispatch(),
        segments.on_device(),
        segments.host(),
        update,
    ))
}
