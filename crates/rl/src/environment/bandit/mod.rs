//! Logged bandit data: a log in which one action was chosen by chance for each request, with its propensity.
//!
//! An agent chooses among all actions; where it chooses what the log chose, it hears what that earned, and else nothing (Li et
//! al. 2011). What it heard counts by one over the propensity, so that its figures are those of all requests: `ips` divides by
//! all of them, `snips` by the sum of the weights (Swaminathan & Joachims 2015).

mod actions;
mod choices;
mod config;
#[cfg(test)]
mod tests;

pub use choices::Choices;
pub use config::BanditConfig;
