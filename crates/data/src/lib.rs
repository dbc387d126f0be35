//! Where rows come from: files, public data sets and generators, as streams of Arrow record batches.
//!
//! Every stream has bounded memory and carries a hidden column, [`POSITION`], that says in which
//! file and on which line (or row) a record stood; it survives joins, sorts and filters, so that an
//! error found later can still name the place. Nothing here knows about tensors or models.

mod clock;
mod config;
mod error;
pub mod events;
mod fingerprint;
mod formats;
mod hash;
pub mod inspect;
pub mod ipc;
pub mod profile;
mod public;
mod read;
mod rows;
mod source;
pub mod split;
pub mod synthetic;
mod time;
pub mod value;
pub mod windows;

pub use clock::Clock;
pub use config::{
    DataConfig, Encoding, ExplodeConfig, FormatKind, HistoryConfig, JoinConfig, OnlyConfig, Side, SplitConfig,
    TextConfig,
};
pub use error::DataError;
pub use fingerprint::fingerprint;
pub use formats::{Object, Reads, kind_at, open_path};
pub use hash::sha256;
pub use public::{Announce, Manifest, Origin, SideFile, fetch, find, is_there, list, place, resolve};
pub use read::rows_read;
pub use rows::{open, open_to_score, with_missing};
pub use source::{CHUNK_ROWS, Column, Location, POSITION, RowStream, Source, Typed, positions};
pub use synthetic::zipf::Zipf;
pub use time::{time_text, time_values, times};

/// A text file's content, decompressed by its extension.
///
/// # Errors
/// A file that is not there.
pub fn open_text(path: &std::path::Path) -> Result<Box<dyn std::io::Read + Send>, DataError> {
    formats::open_text(path, &TextConfig::default())
}

/// Permissions of files that others may read, as `create` would give them.
pub fn readable() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o644)
}
