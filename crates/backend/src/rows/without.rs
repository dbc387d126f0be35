//! What stands for rows on a device in a build without any GPU runtime: it cannot be made.

use burn::tensor::{Device, Int, Tensor};

use super::{Columns, Plan, RowStep};

/// Cannot exist in this build.
#[derive(Clone, Debug)]
pub enum PackedBatch {}

/// Cannot exist in this build.
#[derive(Debug)]
pub enum DeviceRows {}
