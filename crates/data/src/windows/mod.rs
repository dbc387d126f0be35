//! Windows of event time: a log cut into stretches that are learned from one after another.

mod cut;
mod length;
mod reservoir;
mod spool;

pub use cut::{Cut, Stretch};
pub use length::Length;
pub use reservoir::Reservoir;
pub use spool::Spooled;
