//! Gated recurrent units over sequences laid end to end, as one operation forward and one back through time.
//!
//! The map of all inputs is one matrix product before it (`xw`); a step multiplies the states of those rows alone that
//! still have a position, so that a batch costs what its rows are long, not what the longest is. On flex, blocks of rows
//! run side by side, each through its own time; elsewhere the steps are composed.

mod composed;
mod flex;
mod kernel;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::jagged::Segments;
use crate::kind::is_flex;
use flex::GruOps;

/// How much of a step's candidate enters the state, with update gate u and attention a of the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// `z = u`: a plain unit.
    Plain,
    /// `z = a·u` (AUGRU of the DIEN paper): without attention the state stays.
    Scaled,
    /// `z = a` (AGRU).
    Attention,
    /// `z = 1 - (1 - a)(1 - u)`: what the released DIEN code computes.
    Released,
}

/// The states of a unit at all positions, from zero at the start of each row:
/// `u, r = σ(xw_u + hU_u), σ(xw_r + hU_r)`, `c = tanh(xw_c + r ⊙ hU_c)`, `h' = (1 - z) ⊙ h + z ⊙ c`.
///
/// # Shapes
/// - `xw`: `[positions, 3h]`, the parts of u, r and c side by side, biases included
/// - `attention`: `[positions, 1]`; unused under [`Update::Plain`]
/// - `weight`: U `[h, 3h]`
/// - output: `[positions, h]`
pub fn gru(xw: Tensor<2>, attention: Tensor<2>, weight: Tensor<2>, segments: &Segments, update: Update) -> Tensor<2> {
    if !is_flex(&xw.device()) {
        return composed::gru(xw, attention, weight, segments, update);
    }
    Tensor::from_dispatch(<Dispatch as GruOps>::gru(
        xw.into_dispatch(),
        attention.into_dispatch(),
        weight.into_dispatch(),
        segments.host(),
        update,
    ))
}
