//! Linear bandits over one ridge regression that all candidates share.

mod ridge;

pub use ridge::Ridge;
