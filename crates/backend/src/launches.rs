//! Kernel launches, counted where they are issued.

#[cfg(feature = "cube")]
mod of_cube {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use cubecl::logging::{LaunchObservation, LaunchObserver};

    #[derive(Default)]
    struct Count(AtomicU64);

    impl LaunchObserver for Count {
        fn launched(&self, _kernel: &'static str) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts every kernel launch of the process while it lives.
    pub struct LaunchCounter {
        count: Arc<Count>,
        _observation: LaunchObservation,
    }

    impl LaunchCounter {
        /// Starts counting.
        pub fn start() -> Self {
            let count = Arc::new(Count::default());
            Self { _observation: LaunchObservation::new(count.clone()), count }
        }

        /// Launches so far.
        pub fn count(&self) -> u64 {
            self.count.0.load(Ordering::Relaxed)
        }
    }
}

#[cfg(feature = "cube")]
pub use of_cube::LaunchCounter;

/// Counts nothing: this build has no device that launches kernels.
#[cfg(not(feature = "cube"))]
pub struct LaunchCounter;

#[cfg(not(feature = "cube"))]
impl LaunchCounter {
    /// Starts counting.
    pub fn start() -> Self {
        Self
    }

    /// Zero.
    pub fn count(&self) -> u64 {
        0
    }
}
