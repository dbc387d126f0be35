//! What can go wrong when a device is opened.

#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "cuda"))]
use crate::kind::DeviceName;

/// An error of opening a device; the binary's exit code for it is 3.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The build has no such device.
    #[error("device `{name}` is not compiled in; build with `cargo build --release --features burnrec/{name}`")]
    NotCompiledIn {
        /// The device.
        name: &'static str,
    },
    /// No adapter answers.
    #[error(
        "device `{name}`: no adapter answered ({reason}); install a driver (Debian: mesa-vulkan-drivers libvulkan1), or use --device flex"
    )]
    NoAdapter {
        /// The device.
        name: &'static str,
        /// What each kind of adapter said.
        reason: String,
    },
    /// Fewer devices answer than its number asks for.
    #[error("device `{name}:{index}`: {there}; `burnrec devices` lists them")]
    NoSuch {
        /// The device.
        name: &'static str,
        /// Its number.
        index: usize,
        /// Those that answer, in words.
        there: String,
    },
}

#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "cuda"))]
impl BackendError {
    /// Of a number that nothing answers to, and the names of those that do, in their order.
    pub(crate) fn no_such(name: DeviceName, index: usize, names: Vec<String>) -> Self {
        let name = name.name();
        let listed: Vec<String> =
            names.iter().enumerate().map(|(n, adapter)| format!("`{name}:{n}` ({adapter})")).collect();
        let there = match listed.len() {
            0 => "none answers".to_string(),
            1 => format!("there is {}", listed[0]),
            _ => format!("there are {}", listed.join(", ")),
        };
        Self::NoSuch { name, index, there }
    }
}
