//! Which device computes, and what is known of it.
//!
//! The backend is a run-time value: `--device flex|wgpu|…`. There is no silent fallback: where `auto` finds
//! no GPU it takes the CPU and says why, and a software adapter (llvmpipe) is used only when it is named.

mod adam;
mod choice;
mod cross;
#[cfg(feature = "cube")]
mod cubes;
mod dense;
mod device;
mod dice;
mod error;
mod experts;
mod fields;
mod fm;
mod fresh;
mod jagged;
mod kind;
mod launches;
mod logistic;
mod math;
mod memory;
mod outer;
mod parts;
mod recurrent;
mod rows;
#[cfg(test)]
mod testing;
mod tracked;
pub mod traffic;
mod vector;
#[cfg(any(feature = "wgpu", feature = "vulkan"))]
mod wgpu;

pub use adam::{AdamQueue, AdamStep, adam, has_adam};
pub use burnrec_record::DeviceFacts;
pub use choice::DeviceChoice;
pub use cross::cross_term;
pub use dense::{Activation, dense, dense_beside, dense_plus, dense_residual, product};
pub use device::{has_own_memory, list, open};
pub use dice::{dice, moments};
pub use error::BackendError;
pub use experts::{layer_each, mixtures};
pub use fields::sum_fields;
pub use fm::pair_term;
pub use fresh::filled_by_chunks;
pub use jagged::{Segments, Steps, segment_softmax, segment_sum, spread, spread_add, spread_mul, weighted_sum};
pub use kind::{DeviceName, Opened};
pub use launches::{KernelUse, LaunchCounter, LaunchTimer};
pub use logistic::logistic_loss;
pub use memory::{DeviceMemory, device_memory};
pub use outer::outer_dense;
pub use parts::{add_row, average, mul_row, sum_rows, total};
pub use recurrent::{Update, gru, has_lstm, lstm};
pub use rows::{ALIGN, Columns, DeviceRows, FOLD, Gather, PIECE, PackedBatch, Packer, Parts, Plan, RowStep, rule};
#[doc(hidden)]
pub use vector::dispatched;
pub use vector::prefetch;
