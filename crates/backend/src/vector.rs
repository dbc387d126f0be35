//! Loops compiled for the widest vectors that this machine has, chosen when they run.

/// Runs `work` with the widest vector instructions at hand; what it calls must be inlined into it to profit.
#[inline]
pub fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}
