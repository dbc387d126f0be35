//! Standard output, and errors on standard error.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::CliError;

/// A line on standard output.
pub fn line(text: &str) -> Result<(), CliError> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Err(CliError::ClosedPipe),
        Err(e) => Err(CliError::Usage(format!("standard output: {e}"))),
    }
}

/// A value as JSON on standard output.
pub fn json(value: &impl serde::Serialize) -> Result<(), CliError> {
    line(&serde_json::to_string_pretty(value).unwrap_or_default())
}

static AS_JSON: AtomicBool = AtomicBool::new(false);

/// From now on errors are log lines in JSON.
pub fn log_as_json() {
    AS_JSON.store(true, Ordering::Relaxed);
}

/// Whether the log is JSON.
pub fn is_json() -> bool {
    AS_JSON.load(Ordering::Relaxed)
}

/// An error on standard error.
pub fn error(text: &str) {
    if AS_JSON.load(Ordering::Relaxed) {
        tracing::error!("{text}");
        return;
    }
    drop(writeln!(std::io::stderr().lock(), "error: {text}"));
}

/// Rows of text in columns, the first row as heads.
pub fn table(rows: &[Vec<String>]) -> Result<(), CliError> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|t| t.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(text, w)| format!("{text:<w$}"));
        line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
