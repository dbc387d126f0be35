//! Kernel launches: counted where they are issued, and timed by the runtime's own timestamps where that is asked for.

/// What one kernel did.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelUse {
    /// Its name.
    pub name: String,
    /// Launches.
    pub launches: u64,
    /// Milliseconds of all launches together.
    pub ms: f64,
    /// Whether the device took the time; else it is of the host around a wait, which says little.
    pub by_device: bool,
}

#[cfg(feature = "cube")]
mod of_cube {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread::ThreadId;

    use cubecl::logging::{Duration, LaunchObservation, LaunchObserver, ProfileDuration, TimingMethod, TimingRequest};

    use super::KernelUse;

    /// Launches of one thread.
    struct Count(AtomicU64, ThreadId);

    impl LaunchObserver for Count {
        fn launched(&self, _kernel: &'static str) {
            if std::thread::current().id() == self.1 {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Counts the kernel launches of the thread that started it, while it lives: one a process at a time.
    pub struct LaunchCounter {
        count: Arc<Count>,
        _observation: LaunchObservation,
    }

    impl LaunchCounter {
        /// Starts counting.
        pub fn start() -> Self {
            let count = Arc::new(Count(AtomicU64::new(0), std::thread::current().id()));
            Self { _observation: LaunchObservation::new(count.clone()), count }
        }

        /// Launches so far.
        pub fn count(&self) -> u64 {
            self.count.0.load(Ordering::Relaxed)
        }
    }

    /// A kernel, and a time that was not read yet.
    type Unread = (&'static str, ProfileDuration);

    /// Launches whose times were not read yet, and those that were.
    #[derive(Default)]
    struct Times(Mutex<(Vec<Unread>, Vec<KernelUse>)>);

    fn add(all: &mut Vec<KernelUse>, kernel: &'static str, time: Duration, method: TimingMethod) {
        let by_device = method == TimingMethod::Device;
        all.push(KernelUse { name: short(kernel), launches: 1, ms: time.as_secs_f64() * 1e3, by_device });
    }

    /// The last part of a kernel's path, without its types.
    fn short(kernel: &str) -> String {
        let path = kernel.split('<').next().unwrap_or(kernel);
        let mut parts: Vec<&str> = path.split("::").collect();
        // The type that stands for a kernel's function is named after it.
        let last = parts.pop().unwrap_or(path);
        let of = parts.last().filter(|part| part.len() > 6 && **part != last);
        of.map_or_else(|| last.to_string(), |of| format!("{of}::{last}"))
    }

    impl LaunchObserver for Times {
        fn launched(&self, _: &'static str) {}

        fn timing(&self) -> TimingRequest {
            TimingRequest::Deferred
        }

        fn profiled(&self, kernel: &'static str, profile: ProfileDuration) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).0.push((kernel, profile));
        }

        fn timed(&self, kernel: &'static str, time: Duration, method: TimingMethod) {
            add(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).1, kernel, time, method);
        }
    }

    /// Times every kernel launch of the process while it lives.
    pub struct LaunchTimer {
        times: Arc<Times>,
        observation: LaunchObservation,
    }

    impl LaunchTimer {
        /// Starts timing.
        pub fn start() -> Self {
            let times = Arc::new(Times::default());
            Self { observation: LaunchObservation::new(times.clone()), times }
        }

        /// Stops, waits for what was launched, and gives the kernels, those that took most first.
        pub fn stop(self) -> Vec<KernelUse> {
            drop(self.observation);
            let (unread, mut read) = std::mem::take(&mut *self.times.0.lock().unwrap_or_else(PoisonError::into_inner));
            for (kernel, profile) in unread {
                let method = profile.timing_method();
                if let Some(ticks) = cubecl::future::block_on(profile.resolve()) {
                    add(&mut read, kernel, ticks.duration(), method);
                }
            }
            let mut all: BTreeMap<String, KernelUse> = BTreeMap::new();
            for one in read {
                let name = one.name.clone();
                let sum = all.entry(name).or_insert_with(|| KernelUse { launches: 0, ms: 0.0, ..one.clone() });
                (sum.launches, sum.ms) = (sum.launches + 1, sum.ms + one.ms);
                sum.by_device &= one.by_device;
            }
            let mut all: Vec<KernelUse> = all.into_values().collect();
            all.sort_by(|a, b| b.ms.total_cmp(&a.ms));
            all
        }
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn kernels_are_named_by_the_end_of_their_paths() {
            assert_eq!(super::short("a::b::matmul::SomeKernel<f32, 4>"), "SomeKernel");
            assert_eq!(super::short("burnrec::kernel::layer_product::LayerProduct"), "layer_product::LayerProduct");
            assert_eq!(super::short("plain"), "plain");
        }
    }
}

#[cfg(feature = "cube")]
pub use of_cube::{LaunchCounter, LaunchTimer};

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

/// Times nothing: this build has no device that launches kernels.
#[cfg(not(feature = "cube"))]
pub struct LaunchTimer;

#[cfg(not(feature = "cube"))]
impl LaunchTimer {
    /// Starts timing.
    pub fn start() -> Self {
        Self
    }

    /// None.
    pub fn stop(self) -> Vec<KernelUse> {
        Vec::new()
    }
}
