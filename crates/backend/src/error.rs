//! What can go wrong when a device is opened.

/// An error of opening a device; the binary's exit code for it is 3.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The build has no such device.
    #[error("device `{name}` is not compiled in; build with `cargo build --release --features {name}`")]
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
}
