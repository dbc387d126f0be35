//! How agents find out what they do not know: noise on weights, chance on lists.

mod choose;
mod noise;
#[cfg(test)]
mod tests;

pub use choose::{boltzmann, epsilon_greedy, epsilon_propensity, shaped};
pub use noise::{Noise, mixed, read, scaled, write};
