//! From record batches to model inputs: what a column means, how it is fitted on the training rows,
//! and the prefetching loader that turns a stream into shuffled batches.
//!
//! A categorical value becomes a stable 64-bit key, `xxh3(value)` seeded by the table's name; key 0 means
//! missing. What row a key has is the business of the embedding tables.

mod batch;
mod columns;
mod config;
mod encoder;
mod error;
mod items;
mod loader;
mod same;
mod schema;
mod sequences;
mod stream;
mod trees;

pub use burnrec_data::ipc;

pub use batch::{Batch, Drawn, Keys, NO_ITEM, NO_NEGATIVE, NO_USER, Sharing, Targets};
pub use columns::{Curve, Fitted, NumericFit, Purpose, TargetFit, Vocabulary, ids};
pub use config::{
    FeaturesConfig, FieldConfig, FieldKind, IdKind, IndexPolicy, ItemsConfig, LabelConfig, LabelValue, NegativesConfig,
    PairsConfig, Pooling, SamplerKind, TargetConfig, TimePart, Transform, TreesConfig,
};
pub use encoder::{Encoder, SideRows};
pub use error::FeatureError;
pub use items::{Catalogue, Given, Past, Seen, Who};
pub use loader::{Cache, Draws, Loader, LoaderConfig, load, load_pairs, used};
pub use schema::{Categorical, CategoricalSource, Items, Numeric, Schema, Sequence, Target};
pub use sequences::{Following, Near, Segments};
pub use stream::{Stream, stream_seed};
pub use trees::Trees;
