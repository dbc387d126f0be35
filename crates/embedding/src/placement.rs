//! Where tables may live: in host memory, or on the device that computes.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where tables live, as a config asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// On a GPU where one computes and a table fits into buffers that it binds at once, else in host memory.
    #[default]
    Auto,
    /// On the device that computes, a software adapter too. A table above what it binds at once takes several buffers, 16 at most; its
    /// memory is not asked first. One above that is in host memory.
    Device,
    /// In host memory.
    Host,
}

/// A device with memory of its own.
#[derive(Clone, Debug)]
pub struct TableDevice {
    /// The device.
    pub device: Device,
    /// The largest buffer that it can bind, in bytes.
    pub limit: u64,
    /// Buffers that a table may take.
    pub buffers: usize,
    /// Whether tables are put there; else only batches go there.
    pub holds_tables: bool,
}
