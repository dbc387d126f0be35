//! Quoted values of delimited text, watched before they are split: one that swallows lines is refused.

use std::io::{self, Read};
use std::path::PathBuf;

use crate::error::DataError;

/// Lines that a quoted value may span.
const LINES: u64 = 100;

/// Where in a record the text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before a value, or in blanks before it.
    Start,
    /// In a value without quotes.
    Plain,
    /// In a quoted value.
    Quoted,
    /// Behind a character that takes the next one's meaning.
    Escaped,
    /// Behind a quote within a quoted value: its end, or half of a doubled one.
    Closed,
    /// In blanks behind a quoted value.
    Behind,
}

/// Text on its way to the splitter. Blanks between a delimiter and a quote are left out.
pub(crate) struct Guard {
    inner: Box<dyn Read + Send>,
    path: PathBuf,
    quote: Option<u8>,
    delimiter: u8,
    escape: Option<u8>,
    at: At,
    line: u64,
    /// Whether the first line ended with a carriage return before its line feed; none before that end.
    returns: Option<bool>,
    /// The last byte of the text before, as long as no line ended.
    before: u8,
    /// The line that the open value began on.
    opened: u64,
    /// Of the lines within the open value that are whole: all, and those that look like rows.
    inside: (u64, u64),
    /// Delimiters of the first record, and of the present line.
    delimiters: (Option<u64>, u64),
    /// Blanks that wait for what comes behind them.
    blanks: Vec<u8>,
    out: Vec<u8>,
    given: usize,
    ended: bool,
}

impl Guard {
    pub(crate) fn new(
        inner: Box<dyn Read + Send>,
        path: PathBuf,
        [quote, escape]: [Option<u8>; 2],
        delimiter: u8,
    ) -> Self {
        Self {
            inner,
            path,
            quote,
            delimiter,
            escape,
            at: At::Start,
            line: 1,
            returns: None,
            before: 0,
            opened: 0,
            inside: (0, 0),
            delimiters: (None, 0),
            blanks: Vec::new(),
            out: Vec::new(),
            given: 0,
            ended: false,
        }
    }

    /// Whether lines end with a carriage return and a line feed, as the first one does.
    pub(crate) fn has_returns(&self) -> bool {
        self.returns == Some(true)
    }

    /// Looks how the first line ends.
    fn look(&mut self, text: &[u8]) {
        if self.returns.is_none() {
            let before = |at: usize| if at == 0 { self.before } else { text[at - 1] };
            self.returns = memchr::memchr(b'\n', text).map(|at| before(at) == b'\r');
            self.before = text.last().copied().unwrap_or(self.before);
        }
    }

    fn refused(&self, line: u64, problem: String) -> io::Error {
        io::Error::other(DataError::Line { path: self.path.clone(), line, problem })
    }

    fn remedy(&self) -> &'static str {
        match self.escape {
            None => {
                "double quotes within a value, set data.text.escape = \"\\\\\" where they are written \\\", or data.text.quote = \"none\""
            }
            Some(_) => "double or escape quotes within a value, or set data.text.quote = \"none\"",
        }
    }

    /// Takes some text; `Err` where a quoted value is none.
    fn take(&mut self, text: &[u8], quote: u8) -> io::Result<()> {
        // Most blocks have no quote: their whole lines pass as they are.
        let simple = matches!(self.at, At::Start | At::Plain) && self.delimiters.0.is_some();
        let plain = match simple && memchr::memchr(quote, text).is_none() {
            true => memchr::memrchr(b'\n', text).map_or(0, |at| at + 1),
            false => 0,
        };
        if plain > 0 {
            self.out.append(&mut self.blanks);
            self.line += memchr::memchr_iter(b'\n', &text[..plain]).count() as u64;
            self.at = At::Start;
            self.delimiters.1 = 0;
            self.out.extend_from_slice(&text[..plain]);
        }
        text[plain..].iter().try_for_each(|byte| self.step(*byte, quote))
    }

    fn step(&mut self, byte: u8, quote: u8) -> io::Result<()> {
        let delimits = byte == self.delimiter;
        if byte == b'\n' {
            self.line += 1;
        }
        let at = match self.at {
            At::Start if byte == quote => {
                self.opened = self.line;
                self.inside = (0, 0);
                self.delimiters.1 = 0;
                self.blanks.clear();
                At::Quoted
            }
            At::Start if matches!(byte, b' ' | b'\t') && !delimits => {
                self.blanks.push(byte);
                return Ok(());
            }
            At::Start | At::Plain => self.plain(byte),
            At::Quoted if Some(byte) == self.escape => At::Escaped,
            At::Quoted if byte == quote => At::Closed,
            At::Escaped | At::Quoted => {
                self.within(byte)?;
                At::Quoted
            }
            At::Closed if byte == quote => At::Quoted,
            At::Closed | At::Behind if delimits || matches!(byte, b'\n' | b'\r') => self.plain(byte),
            At::Closed | At::Behind if matches!(byte, b' ' | b'\t') => {
                self.at = At::Behind;
                return Ok(());
            }
            At::Closed | At::Behind => {
                let problem = format!(
                    "has `{}` behind the quote that ends a value; {}",
                    char::from(byte).escape_default(),
                    self.remedy()
                );
                return Err(self.refused(self.opened, problem));
            }
        };
        self.at = at;
        self.out.push(byte);
        Ok(())
    }

    /// A byte outside quotes.
    fn plain(&mut self, byte: u8) -> At {
        self.out.append(&mut self.blanks);
        match byte {
            _ if byte == self.delimiter => {
                self.delimiters.1 += 1;
                At::Start
            }
            b'\n' | b'\r' => {
                if self.delimiters.0.is_none() {
                    self.delimiters.0 = Some(self.delimiters.1);
                }
                self.delimiters.1 = 0;
                At::Start
            }
            _ => At::Plain,
        }
    }

    /// A byte within quotes.
    fn within(&mut self, byte: u8) -> io::Result<()> {
        if byte == self.delimiter {
            self.delimiters.1 += 1;
        }
        if byte != b'\n' {
            return Ok(());
        }
        let (row, lines) = (self.delimiters.0.unwrap_or(0), self.line - self.opened);
        // The first line is the rest of its own row, what comes behind it is whole.
        if lines > 1 {
            self.inside.0 += 1;
            self.inside.1 += u64::from(row >= 2 && self.delimiters.1 == row);
        }
        self.delimiters.1 = 0;
        let swallows = self.inside.0 >= 3 && self.inside.0 == self.inside.1;
        match swallows || lines > LINES {
            true => Err(self.refused(
                self.opened,
                format!(
                    "opens a quote that is never closed near it, so that the lines behind it would be one value; {}",
                    self.remedy()
                ),
            )),
            false => Ok(()),
        }
    }
}

impl Read for Guard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(quote) = self.quote else {
            let length = self.inner.read(buffer)?;
            self.look(&buffer[..length]);
            return Ok(length);
        };
        while self.given == self.out.len() && !self.ended {
            self.out.clear();
            self.given = 0;
            let mut text = vec![0; buffer.len().max(1 << 12)];
            let length = self.inner.read(&mut text)?;
            self.look(&text[..length]);
            self.take(&text[..length], quote)?;
            if length == 0 {
                self.ended = true;
                self.out.append(&mut self.blanks);
                if matches!(self.at, At::Quoted | At::Escaped) {
                    let problem = format!("opens a quote that is never closed; {}", self.remedy());
                    return Err(self.refused(self.opened, problem));
                }
            }
        }
        let length = buffer.len().min(self.out.len() - self.given);
        buffer[..length].copy_from_slice(&self.out[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(text: &str, escape: Option<u8>, block: usize) -> Result<String, String> {
        struct Blocks(io::Cursor<Vec<u8>>, usize);
        impl Read for Blocks {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let most = buffer.len().min(self.1);
                self.0.read(&mut buffer[..most])
            }
        }
        let inner = Box::new(Blocks(io::Cursor::new(text.as_bytes().to_vec()), block));
        let mut out = String::new();
        let mut guard = Guard::new(inner, "f.csv".into(), [Some(b'"'), escape], b',');
        guard.read_to_string(&mut out).map(|_| out).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_well_quoted_passes_and_blanks_before_quotes_are_left_out() {
        for block in [1, 2, 3, 1000] {
            let same = |text: &str, escape| assert_eq!(guarded(text, escape, block).unwrap(), text, "{block}");
            same("a,b\n1,\"x\ny, z\"\n2,\"say \"\"hi\"\"\"\n3, c d \n", None);
            same("a,b\n1,\"say \\\"hi\\\", ok\"\n", Some(b'\\'));
            same("a,b\n1,5\" disk\n2,7\" disk\n", None);
            assert_eq!(guarded("a,b\n1, \"x, y\" \n2,3\n", None, block).unwrap(), "a,b\n1,\"x, y\"\n2,3\n");
        }
    }

    #[test]
    fn quotes_that_would_swallow_lines_are_refused_with_the_line_that_opens_them() {
        let rows: String = (0..40).map(|i| format!("{i},t,{i}\n")).collect();
        let open = format!("a,b,c\n1,\"disk,1\n{rows}7,disk\",2\n");
        let even = "a,b,c\n1,\"disk 5\\\"\",1\n2,\"disk 5\\\"\",0\n".to_string();
        let long = format!("a,b\n1,\"{}\"\n", "line of text\n".repeat(101));
        let never = "a,b\n0,0\n1,\"x\n2,3\n".to_string();
        for (text, line) in [(open, 2), (even, 2), (long, 2), (never, 3)] {
            for block in [1, 7, 100_000] {
                let error = guarded(&text, None, block).unwrap_err();
                assert!(error.starts_with(&format!("f.csv:{line}:")) && error.contains("text.quote"), "{error}");
            }
        }
        let poem = format!("a,b,c\n1,\"{}\",2\n", "one line, with a comma\n".repeat(30));
        assert_eq!(guarded(&poem, None, 64).unwrap(), poem);
    }
}
