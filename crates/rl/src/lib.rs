//! Reinforcement learning that recommends: DRN's agent, exploration, interleaving, environments, off-policy evaluation.

pub mod activeness;
pub mod agent;
pub mod bandit;
pub mod draw;
pub mod environment;
mod error;
pub mod explore;
pub mod interleave;
mod made;
pub mod memory;
pub mod ope;
pub mod simulate;

pub use error::RlError;
