//! Ways a candidate enters a state.

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
