//! The tests of the whole, one binary of modules: each would link Burn anew.
#![expect(clippy::unwrap_used, reason = "tests")]

mod asked;
mod bad_config;
mod bad_input;
mod bad_items;
mod bad_sequences;
mod bad_tasks;
mod circles;
mod commands;
mod contract;
mod crash;
mod delayed;
mod deltas;
mod device;
mod mixers;
mod mutations;
mod online;
mod ope;
mod partial;
mod phases;
mod quality;
mod recommend;
mod redis_stream;
mod refit;
mod resume;
mod retrieval;
mod schedules;
mod simulate;
mod sources;
mod sparsity;
mod tables;
mod tasks;
mod trees;
mod updates;
mod values;
mod workspace;
