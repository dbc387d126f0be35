//! A simulated news site: readers with interests that tire and recover, articles that appear and expire.
//!
//! A click is `σ(z)` times a position bias, `z = base + interest·θ_u[topic] + appeal - satiation·s_u[topic] - ageing·age +
//! mood·m_u`. What an article is worth beyond its click is its depth: shallow headlines are clicked more, and leave readers in
//! a worse mood; after a list a reader stays for another one, or leaves and comes back the later the worse the mood is. So the
//! list that is clicked most now is not the one that is clicked most in the end.
//!
//! Everything is drawn by seed, person, visit and article: policies side by side meet the same readers.

mod articles;
mod config;
mod reader;
mod rows;
mod serve;
#[cfg(test)]
mod tests;
mod world;

pub use config::NewsConfig;
pub use world::News;
