//! Numberings of rows, and the rows that a batch touches in each.

mod index;
mod numbering;
mod occurrences;
mod radix;

pub use index::{Indexer, slot_order};
pub(crate) use numbering::{FeatureRows, Growing, KeyMap, Space};
pub use occurrences::SpaceBatch;
