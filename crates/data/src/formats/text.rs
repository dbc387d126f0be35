//! Text files, decompressed by their extension, with errors that say where the text broke off.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::error::DataError;

/// The last extension, in small letters.
fn packing(path: &Path) -> Option<String> {
    path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase)
}

/// Opens a text file; `.gz` and `.zst` are decompressed on the way.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read + Send>, DataError> {
    let file = File::open(path).map_err(|e| DataError::io(path, e))?;
    let reader = BufReader::with_capacity(1 << 18, file);
    match packing(path).as_deref() {
        Some("gz") => Ok(Box::new(flate2::bufread::MultiGzDecoder::new(reader))),
        Some("zst") => {
            let decoder = zstd::Decoder::with_buffer(reader).map_err(|e| DataError::io(path, e))?;
            Ok(Box::new(decoder))
        }
        _ => Ok(Box::new(reader)),
    }
}

/// Tells a compressed file that was cut off from other failures of reading.
pub(crate) fn read_error(path: &Path, line: u64, error: io::Error) -> DataError {
    let cut = error.kind() == io::ErrorKind::UnexpectedEof || error.to_string().contains("incomplete frame");
    let compressed = matches!(packing(path).as_deref(), Some("gz" | "zst"));
    match (cut, compressed) {
        (true, _) => DataError::Truncated { path: path.to_path_buf(), line },
        (false, true) => {
            DataError::Corrupt { path: path.to_path_buf(), format: "compressed", reason: error.to_string() }
        }
        _ => DataError::io(path, error),
    }
}

/// The lines of a text file with their numbers from 1, blank lines skipped, checked to be UTF-8.
pub(crate) struct Lines {
    path: std::path::PathBuf,
    reader: BufReader<Box<dyn Read + Send>>,
    number: u64,
    buffer: Vec<u8>,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        Ok(Self { path: path.to_path_buf(), reader: BufReader::new(open(path)?), number: 0, buffer: Vec::new() })
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
        let bytes = self.buffer.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&self.buffer);
        Some(std::str::from_utf8(bytes).map(|text| (line, text.trim_end())).map_err(|_| DataError::Utf8 {
            path: self.path.clone(),
            line,
            column: "the whole line".into(),
        }))
    }
}
