//! One file a command.

pub mod bench;
mod bench_ceiling;
mod bench_disk;
mod bench_measure;
mod bench_workload;
pub mod check;
pub mod data;
pub mod devices;
pub mod evaluate;
pub mod export;
pub mod models;
mod output;
pub mod predict;
pub mod recommend;
pub mod schema;
pub mod train;
