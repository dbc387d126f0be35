//! Text files: decompressed, decoded, with errors that say where the text broke off.

mod decode;
mod delimiters;
mod lines;
mod quotes;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::config::{Encoding, TextConfig};
use crate::error::DataError;

pub(crate) use delimiters::{Delimiters, UNIT};
pub(crate) use lines::Lines;
pub(crate) use quotes::Guard;

/// How a file is packed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    /// What the last extension says.
    fn named(path: &Path) -> Self {
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            _ => Self::None,
        }
    }

    /// What the first bytes say.
    fn found(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "plain text",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Opens a text file as UTF-8 with line feeds; `.gz` and `.zst` are decompressed on the way.
pub(crate) fn open(path: &Path, text: &TextConfig) -> Result<Box<dyn Read + Send>, DataError> {
    let unpacked = unpack(path)?;
    decode::decode(path, unpacked, text.encoding)
}

/// The bytes of a file that is packed as its name says.
fn unpack(path: &Path) -> Result<Box<dyn Read + Send>, DataError> {
    let file = File::open(path).map_err(|e| DataError::io(path, e))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let first = io::BufRead::fill_buf(&mut reader).map_err(|e| DataError::io(path, e))?;
    let (named, found) = (Packing::named(path), Packing::found(first));
    // An empty file is no archive either; that it is empty is said where rows are looked for.
    if named != found && !first.is_empty() {
        let extension = match found {
            Packing::None => "nothing behind its format",
            Packing::Gzip => ".gz",
            Packing::Zstd => ".zst",
        };
        return Err(DataError::Packed {
            path: path.to_path_buf(),
            named: named.name(),
            found: found.name(),
            extension,
        });
    }
    Ok(match named {
        Packing::Gzip if !first.is_empty() => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        Packing::Zstd if !first.is_empty() => {
            Box::new(zstd::Decoder::with_buffer(reader).map_err(|e| DataError::io(path, e))?)
        }
        _ => Box::new(reader),
    })
}

/// What bytes are, by the first of them, where they are no lines of UTF-8.
pub(crate) fn other_than_lines(first: &[u8]) -> Option<&'static str> {
    match (Packing::found(first), Encoding::of_mark(first), first) {
        (found @ (Packing::Gzip | Packing::Zstd), ..) => Some(found.name()),
        (_, Some(Encoding::Utf16), _) => Some("UTF-16"),
        (.., [b'P', b'A', b'R', b'1', ..]) => Some("Parquet"),
        (.., [b'A', b'R', b'R', b'O', b'W', b'1', ..]) => Some("Arrow"),
        _ => None,
    }
}

/// Tells a compressed file that was cut off, and text that a stage refused, from other failures of reading.
pub(crate) fn read_error(path: &Path, line: u64, error: io::Error) -> DataError {
    let error = match error.downcast::<DataError>() {
        Ok(own) => return own,
        Err(error) => error,
    };
    let cut = error.kind() == io::ErrorKind::UnexpectedEof || error.to_string().contains("incomplete frame");
    match (cut, Packing::named(path) != Packing::None) {
        (true, _) => DataError::Truncated { path: path.to_path_buf(), line },
        (false, true) => {
            DataError::Corrupt { path: path.to_path_buf(), format: "compressed", reason: error.to_string() }
        }
        _ => DataError::io(path, error),
    }
}

impl Encoding {
    /// What the first bytes of text say of it.
    fn of_mark(first: &[u8]) -> Option<Self> {
        match first {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(Self::Utf16),
            [0xef, 0xbb, 0xbf, ..] => Some(Self::Utf8),
            _ => None,
        }
    }
}
