//! Embedding tables outside the autodiff graph.
//!
//! A batch's keys become rows ([`Indexer`]), the rows are gathered into one leaf a lookup
//! (`[B, slots, dim]`), the model runs, and the leaf's gradient comes back: summed per row, one optimiser
//! step per touched row, in place ([`Tables::apply`]). A step costs what the batch holds, whatever the
//! table's size. Row 0 is padding: zero, never updated.

mod checkpoint;
mod error;
mod gather;
mod index;
mod init;
mod optimizer;
mod packing;
mod placement;
mod radix;
mod rules;
mod shard;
mod slots;
mod space;
mod table;
mod tables;
mod update;

pub use error::EmbeddingError;
pub use gather::Gathered;
pub use index::{Indexer, slot_order};
pub use init::Init;
pub use optimizer::{SparseOptimizer, SparseRule};
pub use packing::{Packing, Uploaded};
pub use placement::{Placement, TableDevice};
pub use slots::{Lookup, Slots};
pub use space::SpaceBatch;
pub use tables::{LookupGradient, TableFacts, Tables};
