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
    /// What the first bytes say; names are often wrong.
    fn found(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// Opens a text file as UTF-8 with line feeds; gzip and zstd are decompressed on the way.
pub(crate) fn open(path: &Path, text: &TextConfig) -> Result<Box<dyn Read + Send>, DataError> {
    let unpacked = unpack(path)?;
    decode::decode(path, unpacked, text.encoding)
}

/// The bytes of a file, unpacked.
fn unpack(path: &Path) -> Result<Box<dyn Read + Send>, DataError> {
    let (packing, reader) = packed(path)?;
    Ok(match packing {
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        Packing::Zstd => Box::new(zstd::Decoder::with_buffer(reader).map_err(|e| DataError::io(path, e))?),
        Packing::None => Box::new(reader),
    })
}

fn packed(path: &Path) -> Result<(Packing, BufReader<File>), DataError> {
    let file = File::open(path).map_err(|e| DataError::io(path, e))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let first = io::BufRead::fill_buf(&mut reader).map_err(|e| DataError::io(path, e))?;
    Ok((Packing::found(first), reader))
}

/// Tells a compressed file that was cut off, and text that a stage refused, from other failures of reading.
pub(crate) fn read_error(path: &Path, line: u64, error: io::Error) -> DataError {
    let error = match error.downcast::<DataError>() {
        Ok(own) => return own,
        Err(error) => error,
    };
    let cut = error.kind() == io::ErrorKind::UnexpectedEof || error.to_string().contains("incomplete frame");
    match (cut, packed(path).is_ok_and(|(packing, _)| packing != Packing::None)) {
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
