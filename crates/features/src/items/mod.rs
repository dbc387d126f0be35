//! Items: the catalogue of them with what each user did, and what is drawn from it.

mod build;
mod catalogue;
mod negatives;
mod pairs;
mod sampler;
mod store;

pub use catalogue::{Catalogue, Past, Seen};
pub(crate) use negatives::Negatives;
pub(crate) use pairs::ItemPairs;
