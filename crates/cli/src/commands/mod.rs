//! One file a command.

mod asked;
pub mod bench;
pub mod check;
mod client;
pub mod data;
pub mod devices;
pub mod evaluate;
pub mod export;
pub mod fuse;
pub mod models;
pub mod online;
pub mod ope;
mod output;
pub mod predict;
mod predictions;
pub mod recommend;
pub mod replay;
mod saved;
pub mod schema;
pub mod simulate;
pub mod sweep;
pub mod train;
pub mod update;
mod vectors;
