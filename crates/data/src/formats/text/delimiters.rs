//! Delimiters of several characters, `::` of MovieLens-1M among them, as one byte that text does not hold.

use std::io::{self, Read};
use std::path::PathBuf;

use memchr::memmem::Finder;

use crate::error::DataError;

/// What a delimiter of several characters becomes: ASCII's unit separator.
pub(crate) const UNIT: u8 = 0x1f;

/// Where text stands in a cell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// At its beginning, blanks aside.
    Start,
    /// Outside quotes.
    Plain,
    Quoted,
    /// Behind what takes the next character's meaning.
    Escaped,
}

/// Cells in quotes.
struct Quotes {
    quote: u8,
    escape: Option<u8>,
    at: At,
}

impl Quotes {
    /// Passes over text; whether it ends within quotes.
    fn pass(&mut self, text: &[u8]) -> bool {
        for &byte in text {
            self.at = match (self.at, byte) {
                (At::Escaped, _) => At::Quoted,
                (At::Quoted, b) if Some(b) == self.escape => At::Escaped,
                // A quote that is doubled closes and opens again.
                (At::Quoted, b) if b == self.quote => At::Start,
                (At::Quoted, _) => At::Quoted,
                (_, b'\n' | b'\r') => At::Start,
                (At::Start, b) if b == self.quote => At::Quoted,
                (At::Start, b' ') => At::Start,
                _ => At::Plain,
            };
        }
        matches!(self.at, At::Quoted | At::Escaped)
    }
}

/// Text with each delimiter as [`UNIT`], the leftmost first.
pub(crate) struct Delimiters {
    inner: Box<dyn Read + Send>,
    path: PathBuf,
    finder: Finder<'static>,
    quotes: Option<Quotes>,
    /// Read and not looked at.
    raw: Vec<u8>,
    /// Looked at and not given on, from `at`.
    done: Vec<u8>,
    at: usize,
    line: u64,
    ended: bool,
}

impl Delimiters {
    /// Text whose cells may stand in quotes, within which a delimiter is none; `escape` takes the next character's meaning there.
    pub(crate) fn new(
        inner: Box<dyn Read + Send>,
        path: PathBuf,
        delimiter: &str,
        (quote, escape): (Option<u8>, Option<u8>),
    ) -> Self {
        let finder = Finder::new(delimiter.as_bytes()).into_owned();
        let quotes = quote.map(|quote| Quotes { quote, escape, at: At::Start });
        Self { inner, path, finder, quotes, raw: Vec::new(), done: Vec::new(), at: 0, line: 1, ended: false }
    }

    /// Reads on, and looks at all that cannot be the beginning of a delimiter.
    fn fill(&mut self) -> io::Result<()> {
        let before = self.raw.len();
        self.raw.resize(before + (1 << 16), 0);
        let read = self.inner.read(&mut self.raw[before..])?;
        self.raw.truncate(before + read);
        self.ended = read == 0;
        if let Some(at) = memchr::memchr(UNIT, &self.raw[before..]) {
            let line = self.line + self.raw[..before + at].iter().filter(|b| **b == b'\n').count() as u64;
            let problem =
                "holds the byte 1F, which stands for the delimiter here; give data.text.delimiter one character".into();
            return Err(io::Error::other(DataError::Line { path: self.path.clone(), line, problem }));
        }
        let width = self.finder.needle().len();
        (self.at, self.done) = (0, std::mem::take(&mut self.done));
        self.done.clear();
        let mut from = 0;
        while let Some(found) = self.finder.find(&self.raw[from..]) {
            let before = &self.raw[from..from + found];
            self.done.extend_from_slice(before);
            let quoted = self.quotes.as_mut().is_some_and(|quotes| quotes.pass(before));
            match quoted {
                // One of its characters may begin another within quotes, and means nothing there either.
                true => self.done.extend_from_slice(self.finder.needle()),
                false => {
                    self.done.push(UNIT);
                    self.quotes.iter_mut().for_each(|quotes| quotes.at = At::Start);
                }
            }
            from += found + width;
        }
        let keep = if self.ended { 0 } else { (width - 1).min(self.raw.len() - from) };
        let until = self.raw.len() - keep;
        self.done.extend_from_slice(&self.raw[from..until]);
        self.quotes.iter_mut().for_each(|quotes| _ = quotes.pass(&self.raw[from..until]));
        self.line += self.raw[..until].iter().filter(|b| **b == b'\n').count() as u64;
        self.raw.drain(..until);
        Ok(())
    }
}

impl Read for Delimiters {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.done.len() && !self.ended {
            self.fill()?;
        }
        let n = out.len().min(self.done.len() - self.at);
        out[..n].copy_from_slice(&self.done[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives few bytes at a time.
    struct Slow(Vec<u8>, usize);

    impl Read for Slow {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(out.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Ok(n)
        }
    }

    #[test]
    fn a_delimiter_within_quotes_is_text() {
        let text = "1::\"Toy::Story\"::5\" disk::\"a\"\"::b\"\n\"x\\\"::y\"::2";
        let expected = "1\x1f\"Toy::Story\"\x1f5\" disk\x1f\"a\"\"::b\"\n\"x\\\"::y\"\x1f2";
        for step in 1..9 {
            let mut out = String::new();
            let quotes = (Some(b'"'), Some(b'\\'));
            Delimiters::new(Box::new(Slow(text.into(), step)), "x".into(), "::", quotes)
                .read_to_string(&mut out)
                .unwrap();
            assert_eq!(out, expected, "{step} bytes at a time");
        }
    }

    #[test]
    fn a_delimiter_is_found_wherever_the_pieces_end() {
        let text = "1::Toy Story: 2::a:b\n2:::x::\n::";
        let expected = "1\x1fToy Story: 2\x1fa:b\n2\x1f:x\x1f\n\x1f";
        for step in 1..9 {
            let mut out = String::new();
            let slow = Slow(text.into(), step);
            Delimiters::new(Box::new(slow), "x".into(), "::", (None, None)).read_to_string(&mut out).unwrap();
            assert_eq!(out, expected, "{step} bytes at a time");
        }
        let slow = Box::new(Slow("a::b\nc\x1fd".into(), 3));
        let held = Delimiters::new(slow, "x".into(), "::", (None, None)).read_to_end(&mut Vec::new());
        assert!(held.unwrap_err().to_string().contains("x:2"));
    }
}
