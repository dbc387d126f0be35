//! What goes over the bus and how often the host waits, counted where it happens.

use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::{Int, Tensor};

static UP: AtomicU64 = AtomicU64::new(0);
static DOWN: AtomicU64 = AtomicU64::new(0);
static WAITS: AtomicU64 = AtomicU64::new(0);

/// Bytes and waits since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes sent to devices.
    pub bytes_up: u64,
    /// Bytes read from devices.
    pub bytes_down: u64,
    /// Reads, each of which waits for the device.
    pub waits: u64,
}

/// The counters now.
pub fn traffic() -> Traffic {
    Traffic {
        bytes_up: UP.load(Ordering::Relaxed),
        bytes_down: DOWN.load(Ordering::Relaxed),
        waits: WAITS.load(Ordering::Relaxed),
    }
}

/// Counts an upload.
pub fn up(bytes: usize) {
    UP.fetch_add(bytes as u64, Ordering::Relaxed);
}

/// Counts an upload where the device has memory of its own.
pub fn up_to(device: &burn::tensor::Device, bytes: usize) {
    if crate::has_own_memory(device) {
        up(bytes);
    }
}

fn down(bytes: usize) {
    DOWN.fetch_add(bytes as u64, Ordering::Relaxed);
    WAITS.fetch_add(1, Ordering::Relaxed);
}

/// The numbers of a tensor; waits for the device.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let values: Vec<f32> = tensor.into_data().try_to_vec().unwrap_or_default();
    down(values.len() * 4);
    values
}

/// The numbers of a tensor; counted where the device has memory of its own.
pub fn read_from<const D: usize>(tensor: Tensor<D>, own_memory: bool) -> Vec<f32> {
    match own_memory {
        true => read(tensor),
        false => tensor.into_data().try_to_vec().unwrap_or_default(),
    }
}

/// The whole numbers of a tensor; waits for the device.
pub fn read_ints<const D: usize>(tensor: Tensor<D, Int>) -> Vec<i32> {
    let values: Vec<i32> = tensor.into_data().try_to_vec().unwrap_or_default();
    down(values.len() * 4);
    values
}
