//! Embedding tables outside the autodiff graph.
//!
//! A batch's keys become rows ([`Indexer`]), the rows are gathered into one leaf a lookup
//! (`[B, slots, dim]`), the model runs, and the leaf's gradient comes back: summed per row, one optimiser
//! step per touched row, in place ([`Tables::apply`]). A step costs what the batch holds, whatever the
//! table's size. Row 0 is padding: zero, never updated.

mod error;
mod lookups;
mod optimizer;
mod placement;
mod shards;
mod space;
mod table;
mod tables;

pub use error::EmbeddingError;
pub use lookups::{Init, Lookup, Slots};
pub use optimizer::{SparseOptimizer, SparseRule};
pub use placement::{Placement, TableDevice};
pub use space::{Indexer, SpaceBatch, slot_order};
pub use table::LookupGradient;
pub use tables::{
    Admission, DeviceGradient, Eviction, Gathered, Gradients, Packing, Strangers, TableFacts, Tables, Update, Uploaded,
};
