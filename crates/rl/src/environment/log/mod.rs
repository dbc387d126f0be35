//! A log of impressions with their candidates, whose lists are made anew.
//!
//! Each row is a candidate with its click; rows of one request stand together, requests in the order of their time. What a
//! list earns is what its candidates earned in the places that they had: the order among them is judged, and not what would
//! have been shown instead of them.

mod config;
mod form;
mod lists;
mod replay;
#[cfg(test)]
mod tests;

pub use config::LogConfig;
pub use form::{Form, Taken};
pub(crate) use form::{bad_row, clicks, key, keys};
pub use lists::Lists;
pub use replay::LogReplay;
