//! Where encoded rows, and what the encoder was fitted to, are kept (`data.cache`), and what they have to be of.

mod fit;
mod key;

pub(crate) use fit::FitCache;
pub(crate) use key::cache;
