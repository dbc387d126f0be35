//! An experiment file that cannot be used, shown at its line and column.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// An experiment file that cannot be used.
#[derive(Debug)]
pub struct ConfigError {
    path: PathBuf,
    /// Line, column (from 1), the line's text and the width of what is wrong in it.
    place: Option<(usize, usize, String, usize)>,
    message: String,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((line, column, text, width)) = &self.place else {
            return write!(f, "{}: {}", self.path.display(), self.message);
        };
        let margin = " ".repeat(line.to_string().len());
        writeln!(f, "{}:{line}:{column}: {}", self.path.display(), self.message)?;
        writeln!(f, "{margin} |\n{line} | {text}")?;
        write!(f, "{margin} | {}{}", " ".repeat(column - 1), "^".repeat(*width))
    }
}

impl ConfigError {
    /// A mistake where the span of a text is.
    pub fn at(path: &Path, text: &str, span: Option<Range<usize>>, message: &str) -> Self {
        let place = span.map(|span| {
            let start = span.start.min(text.len());
            let first = text[..start].rfind('\n').map_or(0, |i| i + 1);
            let line = text[first..].lines().next().unwrap_or("").to_string();
            let column = text[first..start].chars().count() + 1;
            let end = span.end.min(first + line.len()).max(start);
            let width = text[start..end].chars().count().max(1);
            (text[..start].matches('\n').count() + 1, column, line, width)
        });
        Self { path: path.to_path_buf(), place, message: message.to_string() }
    }

    /// A mistake of the whole file.
    pub fn plain(path: &Path, message: String) -> Self {
        Self { path: path.to_path_buf(), place: None, message }
    }
}
