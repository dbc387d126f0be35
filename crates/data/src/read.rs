//! How many rows this process has read from files: what long passes over data show of themselves.

use std::sync::atomic::{AtomicU64, Ordering};

static ROWS: AtomicU64 = AtomicU64::new(0);

/// Rows read so far, those that were read again included.
pub fn rows_read() -> u64 {
    ROWS.load(Ordering::Relaxed)
}

pub(crate) fn count(rows: usize) {
    ROWS.fetch_add(rows as u64, Ordering::Relaxed);
}
