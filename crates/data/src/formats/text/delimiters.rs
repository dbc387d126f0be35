//! Delimiters of several characters, `::` of MovieLens-1M among them, as one byte that text does not hold.

use std::io::{self, Read};
use std::path::PathBuf;

use memchr::memmem::Finder;

use crate::error::DataError;

/// What a delimiter of several characters becomes: ASCII's unit separator.
pub(crate) const UNIT: u8 = 0x1f;

/// Text with each delimiter as [`UNIT`], the leftmost first.
pub(crate) struct Delimiters {
    inner: Box<dyn Read + Send>,
    path: PathBuf,
    finder: Finder<'static>,
    /// Read and not looked at.
    raw: Vec<u8>,
    /// Looked at and not given on, from `at`.
    done: Vec<u8>,
    at: usize,
    line: u64,
    ended: bool,
}

impl Delimiters {
    pub(crate) fn new(inner: Box<dyn Read + Send>, path: PathBuf, delimiter: &str) -> Self {
        let finder = Finder::new(delimiter.as_bytes()).into_owned();
        Self { inner, path, finder, raw: Vec::new(), done: Vec::new(), at: 0, line: 1, ended: false }
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
            self.done.extend_from_slice(&self.raw[from..from + found]);
            self.done.push(UNIT);
            from += found + width;
        }
        let keep = if self.ended { 0 } else { (width - 1).min(self.raw.len() - from) };
        let until = self.raw.len() - keep;
        self.done.extend_from_slice(&self.raw[from..until]);
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
    fn a_delimiter_is_found_wherever_the_pieces_end() {
        let text = "1::Toy Story: 2::a:b\n2:::x::\n::";
        let expected = "1\x1fToy Story: 2\x1fa:b\n2\x1f:x\x1f\n\x1f";
        for step in 1..9 {
            let mut out = String::new();
            let slow = Slow(text.into(), step);
            Delimiters::new(Box::new(slow), "x".into(), "::").read_to_string(&mut out).unwrap();
            assert_eq!(out, expected, "{step} bytes at a time");
        }
        let held =
            Delimiters::new(Box::new(Slow("a::b\nc\x1fd".into(), 3)), "x".into(), "::").read_to_end(&mut Vec::new());
        assert!(held.unwrap_err().to_string().contains("x:2"));
    }
}
