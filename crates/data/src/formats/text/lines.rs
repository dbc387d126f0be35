//! The lines of a text file.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{open, read_error};
use crate::config::TextConfig;
use crate::error::DataError;

/// The lines of a text file with their numbers from 1, blank lines skipped, checked to be UTF-8.
pub(crate) struct Lines {
    path: PathBuf,
    reader: BufReader<Box<dyn Read + Send>>,
    number: u64,
    buffer: Vec<u8>,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let reader = BufReader::with_capacity(1 << 18, open(path, &TextConfig::default())?);
        Ok(Self { path: path.to_path_buf(), reader, number: 0, buffer: Vec::new() })
    }

    /// The next line that is not blank.
    pub(crate) fn next_line(&mut self) -> Option<Result<(u64, &str), DataError>> {
        loop {
            self.buffer.clear();
            match self.reader.read_until(b'\n', &mut self.buffer) {
                Ok(0) => return None,
                Ok(_) => self.number += 1,
                Err(e) => return Some(Err(read_error(&self.path, self.number, e))),
            }
            if !self.buffer.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        let line = self.number;
        Some(std::str::from_utf8(&self.buffer).map(|text| (line, text.trim_end())).map_err(|_| DataError::Utf8 {
            path: self.path.clone(),
            line,
            column: "the whole line".into(),
        }))
    }
}
