//! Recurrent units.

/// How much of a step's candidate enters the state, with update gate u and attention a of the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// A unit, and what its three operands are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A gated unit: `xw` `[positions, 3h]`, attention `[positions, 1]`, U `[h, 3h]`.
    Gru(Update),
    /// A memory: `xw` `[positions, 4h]`, U `[h, 4h]`, peepholes `[3, h]`.
    Lstm,
}
