//! Items: the catalogue of them with what each user did, and what is drawn from it.

mod build;
mod catalogue;
mod negatives;
mod pairs;
mod rows;
mod sampler;
mod store;
mod who;

pub use catalogue::{Catalogue, Past, Seen};
pub(crate) use negatives::Negatives;
pub(crate) use pairs::ItemPairs;
pub use who::{Given, Who};
