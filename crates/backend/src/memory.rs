//! What a device's memory holds.

use burn::tensor::Device;

/// Bytes of a device's memory, by its runtime's own account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceMemory {
    /// Those that tensors take.
    pub in_use: u64,
    /// Those that the runtime holds, for tensors to come too.
    pub reserved: u64,
}

/// What a device with memory of its own holds; none elsewhere. Waits for what was issued.
pub fn device_memory(device: &Device) -> Option<DeviceMemory> {
    #[cfg(feature = "cube")]
    if let burn::backend::DispatchDevice::Cube(device) = device.clone().inner().as_dispatch() {
        let usage = device.client().memory_report(cubecl::MemoryScope::Device).usage();
        return Some(DeviceMemory { in_use: usage.bytes_in_use, reserved: usage.bytes_reserved });
    }
    let _ = device;
    None
}
