//! Loops compiled for the widest vectors that this machine has, chosen when they run; and asking for memory early.

/// Runs an expression with the widest vector instructions at hand. The functions that it calls profit if they are inlined
/// into it, so `#[inline(always)]`.
#[macro_export]
macro_rules! vectorized {
    ($work:expr) => {
        $crate::dispatched(
            // Or a long one is compiled once, for the oldest machine, and called from there.
            #[inline(always)]
            || $work,
        )
    };
}

/// Runs `work` with the widest vector instructions at hand, if it is inlined: what [`vectorized!`] sees to.
#[doc(hidden)]
#[inline]
pub fn dispatched<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Floats of a cache line.
const LINE: usize = 16;

/// Asks for a slice's memory, to have it at hand when it is read some dozens of instructions later.
#[inline(always)]
#[allow(unsafe_code, reason = "a prefetch reads nothing and faults at no address")]
pub fn prefetch(values: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(LINE) {
        // SAFETY: the instruction is part of every x86-64, and only a hint.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, LINE);
}
