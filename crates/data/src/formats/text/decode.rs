//! Text in other encodings, and with other ends of lines, as UTF-8 with line feeds.

use std::io::{self, Read};
use std::path::Path;

use crate::config::Encoding;
use crate::error::DataError;

/// Bytes that are looked at to tell the ends of lines.
const BLOCK: usize = 1 << 16;

/// Text as UTF-8, without a mark of the encoding in front.
pub(super) fn decode(
    path: &Path,
    mut inner: Box<dyn Read + Send>,
    encoding: Option<Encoding>,
) -> Result<Box<dyn Read + Send>, DataError> {
    let mut first = vec![0; BLOCK];
    let length = fill(&mut inner, &mut first).map_err(|e| super::read_error(path, 0, e))?;
    first.truncate(length);
    let marked = Encoding::of_mark(&first);
    match (encoding, marked) {
        (None | Some(Encoding::Utf8), Some(Encoding::Utf16)) => {
            return Err(DataError::Utf16 { path: path.to_path_buf() });
        }
        (Some(Encoding::Utf16), Some(Encoding::Utf16)) => {
            let big = first[0] == 0xfe;
            let rest = first.split_off(2);
            let decoder = Utf16 { inner: Box::new(io::Cursor::new(rest).chain(inner)), big, odd: None, high: None };
            return ends(path, Box::new(decoder));
        }
        // Text of that encoding has zeros everywhere; what has none is not in it.
        (Some(Encoding::Utf16), None) if !first.contains(&0) => {}
        (Some(Encoding::Utf16), _) => {
            let decoder =
                Utf16 { inner: Box::new(io::Cursor::new(first).chain(inner)), big: false, odd: None, high: None };
            return ends(path, Box::new(decoder));
        }
        (Some(Encoding::Latin1), _) => {
            // Letters of Latin-1 that happen to be UTF-8 all through are as good as none.
            let valid = match std::str::from_utf8(&first) {
                Ok(_) => true,
                Err(e) => e.error_len().is_none(),
            };
            if valid && !first.is_ascii() {
                tracing::warn!(
                    "{}: is read as Latin-1, as data.text.encoding says, and looks like UTF-8; its letters beyond ASCII come out as two each if it is",
                    path.display()
                );
            }
            return ends(path, Box::new(Latin1 { inner: Box::new(io::Cursor::new(first).chain(inner)) }));
        }
        (_, Some(Encoding::Utf8)) => drop(first.drain(..3)),
        _ => {}
    }
    Ok(line_feeds(first, inner))
}

fn ends(path: &Path, mut inner: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>, DataError> {
    let mut first = vec![0; BLOCK];
    let length = fill(&mut inner, &mut first).map_err(|e| super::read_error(path, 0, e))?;
    first.truncate(length);
    Ok(line_feeds(first, inner))
}

/// Lines that end with a carriage return alone get a line feed instead: the first block tells.
fn line_feeds(first: Vec<u8>, inner: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    let alone = first.contains(&b'\r') && !first.contains(&b'\n');
    let all = Box::new(io::Cursor::new(first).chain(inner));
    match alone {
        true => Box::new(CarriageReturns(all)),
        false => all,
    }
}

/// Reads until the buffer is full or the text ends.
fn fill(inner: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match inner.read(&mut buffer[length..])? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

struct CarriageReturns(Box<dyn Read + Send>);

impl Read for CarriageReturns {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.read(buffer)?;
        buffer[..length].iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b'\n');
        Ok(length)
    }
}

struct Latin1 {
    inner: Box<dyn Read + Send>,
}

impl Read for Latin1 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A byte becomes at most two.
        let mut bytes = vec![0; (buffer.len() / 2).max(1)];
        let length = self.inner.read(&mut bytes)?;
        let text: String = bytes[..length].iter().map(|b| char::from(*b)).collect();
        buffer[..text.len()].copy_from_slice(text.as_bytes());
        Ok(text.len())
    }
}

struct Utf16 {
    inner: Box<dyn Read + Send>,
    big: bool,
    /// Half of a unit that a read ended with.
    odd: Option<u8>,
    /// Half of a pair of units that a read ended with.
    high: Option<u16>,
}

impl Read for Utf16 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // A unit of two bytes becomes at most three, one that waits from the last read included.
            let mut bytes: Vec<u8> = self.odd.take().into_iter().collect();
            let own = bytes.len();
            bytes.resize(own + (buffer.len() / 3).saturating_sub(2).max(1) * 2 - own, 0);
            let read = self.inner.read(&mut bytes[own..])?;
            bytes.truncate(own + read);
            if read == 0 {
                return match own == 0 && self.high.is_none() {
                    true => Ok(0),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
            if bytes.len() % 2 == 1 {
                self.odd = bytes.pop();
            }
            let unit = |pair: &[u8]| match self.big {
                true => u16::from_be_bytes([pair[0], pair[1]]),
                false => u16::from_le_bytes([pair[0], pair[1]]),
            };
            let mut units: Vec<u16> = self.high.take().into_iter().collect();
            units.extend(bytes.chunks_exact(2).map(unit));
            if units.last().is_some_and(|u| (0xd800..0xdc00).contains(u)) {
                self.high = units.pop();
            }
            let text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
            if !text.is_empty() {
                buffer[..text.len()].copy_from_slice(text.as_bytes());
                return Ok(text.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], encoding: Option<Encoding>) -> Result<String, DataError> {
        let inner = Box::new(io::Cursor::new(bytes.to_vec()));
        let mut text = String::new();
        decode(Path::new("f.csv"), inner, encoding)?.read_to_string(&mut text).unwrap();
        Ok(text)
    }

    #[test]
    fn encodings_and_ends_of_lines_become_one() {
        let text = "a,b\nü,😀\n";
        assert_eq!(read(text.as_bytes(), None).unwrap(), text);
        assert_eq!(read(&[b"\xef\xbb\xbf", text.as_bytes()].concat(), None).unwrap(), text);
        let wide = |big: bool| -> Vec<u8> {
            let unit = |u: u16| if big { u.to_be_bytes() } else { u.to_le_bytes() };
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect()
        };
        assert_eq!(read(&wide(true), Some(Encoding::Utf16)).unwrap(), text);
        assert_eq!(read(&wide(false), Some(Encoding::Utf16)).unwrap(), text);
        assert!(matches!(read(&wide(false), None), Err(DataError::Utf16 { .. })));
        assert_eq!(read(b"a\r\xfc\r", Some(Encoding::Latin1)).unwrap(), "a\nü\n");
        assert_eq!(read(b"a,b\r1,2\r", None).unwrap(), "a,b\n1,2\n");
        assert_eq!(read(b"a,b\r\n1,2\r\n", None).unwrap(), "a,b\r\n1,2\r\n");
    }
}
