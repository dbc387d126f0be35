//! From record batches to model inputs: what a column means, how it is fitted on the training rows,
//! and the prefetching loader that turns a stream into shuffled batches.
//!
//! A categorical value becomes a stable 64-bit key, `xxh3(value)` seeded by the table's name; key 0 means
//! missing. What row a key has is the business of the embedding tables.

mod batch;
mod catalogue;
mod column;
mod config;
mod config_items;
mod encoder;
mod encoder_fit;
mod error;
mod fit;
mod keys;
mod label;
mod loader;
mod negatives;
mod pairs;
mod sampler;
mod schema;
mod schema_check;
mod schema_fields;
mod schema_items;
mod segments;
mod shuffle;
mod strangers;
mod stream;
mod trees;

pub use batch::{Batch, Drawn, Keys, NO_ITEM, NO_NEGATIVE, NO_USER, Sharing};
pub use catalogue::{Catalogue, Past, Seen};
pub use config::{
    FeaturesConfig, FieldConfig, FieldKind, IdKind, IndexPolicy, LabelConfig, LabelValue, Pooling, Transform,
};
pub use config_items::{ItemsConfig, NegativesConfig, PairsConfig, SamplerKind};
pub use encoder::{Encoder, Purpose, SideRows, ids};
pub use error::FeatureError;
pub use fit::{Fitted, NumericFit, Vocabulary};
pub use loader::{Draws, Loader, LoaderConfig, load, load_pairs};
pub use schema::{Categorical, CategoricalSource, Items, Label, Numeric, Schema, Sequence};
pub use segments::{Pairs, Segments};
pub use stream::{Stream, stream_seed};
pub use trees::{Trees, TreesConfig};
