//! The last step of an operation with autodiff.

/// Records `op` over `nodes` with what its way back needs, and gives its output.
macro_rules! tracked {
    ($op:expr, $nodes:expr, $state:expr, $output:expr) => {{
        use burn::backend::autodiff::ops::{Backward, OpsKind};
        match Backward::prepare::<C>($op, $nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish($state, $output),
            OpsKind::UnTracked(prep) => prep.finish($output),
        }
    }};
}

pub(crate) use tracked;
