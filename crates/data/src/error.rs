//! Everything that can be wrong with data, each with the place and the remedy.

use std::path::PathBuf;

/// An error of reading, fetching, joining, splitting or generating data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The path does not exist.
    #[error("{path}: no such file or folder; check the path", path = path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
    },
    /// A source that is neither a data set nor a path.
    #[error("{path}: no such file or folder; check the path, or `burnrec data list` for the public data sets", path = path.display())]
    NoSource {
        /// What was asked for.
        path: PathBuf,
    },
    /// A folder stands where a file is needed.
    #[error("{path}: is a folder, but a {expected} is needed here; name the file inside it", path = path.display())]
    IsFolder {
        /// The folder.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
    },
    /// The file has no byte, or only white space.
    #[error("{path}: the file is empty; it needs a header line and rows", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// There is a header but no row.
    #[error("{path}: the file has a header but no rows; nothing can be learned from it", path = path.display())]
    HeaderOnly {
        /// The file.
        path: PathBuf,
    },
    /// A column is asked for that the source does not have.
    #[error("{path}: no column `{column}`; the columns are: {available}", path = path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column asked for.
        column: String,
        /// What is there.
        available: String,
    },
    /// Two columns of one name.
    #[error("{path}: column `{column}` appears twice in the header; rename one of them", path = path.display())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
    },
    /// A line has more or fewer fields than the header.
    #[error("{path}:{line}: {found} fields where the header has {expected}; check the delimiter and the quoting of this line", path = path.display())]
    Ragged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Fields in the header.
        expected: u64,
        /// Fields on the line.
        found: u64,
    },
    /// Bytes that are not UTF-8.
    #[error("{path}:{line}: column `{column}` is not valid UTF-8; convert the file, e.g. `iconv -f latin1 -t utf8`, or set data.text.encoding = \"latin1\"", path = path.display())]
    Utf8 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column.
        column: String,
    },
    /// A line that is not what the format asks for.
    #[error("{path}:{line}: {problem}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong and what to do.
        problem: String,
    },
    /// UTF-16, by its mark.
    #[error("{path}: is UTF-16, by its first bytes; set data.text.encoding = \"utf16\", or convert the file: `iconv -f utf-16 -t utf-8`", path = path.display())]
    Utf16 {
        /// The file.
        path: PathBuf,
    },
    /// A file that is packed in another way than its name says.
    #[error("{path}: is {found}, by its first bytes, and its name says {named}; compressed files are told by their names: let it end in {extension}", path = path.display())]
    Packed {
        /// The file.
        path: PathBuf,
        /// What the name says.
        named: &'static str,
        /// What it is.
        found: &'static str,
        /// The end that its name should have.
        extension: &'static str,
    },
    /// Two parts of one source that contradict each other.
    #[error("{one}: column `{column}` is {one_type}, and in {other} it is {other_type}; write one of them again, or leave the column out", one = one.display(), other = other.display())]
    Parts {
        /// The column.
        column: Box<str>,
        /// A part.
        one: PathBuf,
        /// Its type there.
        one_type: Box<str>,
        /// Another part.
        other: PathBuf,
        /// Its type there.
        other_type: Box<str>,
    },
    /// A column of a type that holds no value a row.
    #[error("{path}: column `{column}` is {found}, where {needed} is needed", path = path.display())]
    Type {
        /// The file or folder.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// What it should hold.
        needed: &'static str,
    },
    /// A compressed file that ends too early.
    #[error("{path}: the compressed file ends too early after line {line}; it was cut off: fetch or compress it again", path = path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The last whole line.
        line: u64,
    },
    /// A file that its format's reader refuses.
    #[error("{path}: not a readable {format} file ({reason}); write it again from its source", path = path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// What the reader said.
        reason: String,
    },
    /// An operating-system error.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A setting of `[data]` that cannot work.
    #[error("data.{key}: {problem}")]
    Setting {
        /// The key below `[data]`.
        key: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A value that a split or a sort cannot use.
    #[error("{location}: column `{column}`: {problem}")]
    Value {
        /// Where it stood.
        location: String,
        /// The column.
        column: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// No source of a public data set answered.
    #[error(
        "{name}: no source could be reached: {attempts}; without a network, `configs/synthetic/wide_deep.toml` trains on generated data"
    )]
    Fetch {
        /// The data set.
        name: String,
        /// Each source with its failure.
        attempts: String,
    },
    /// A stream of a server that cannot be read as asked.
    #[error("{name}: {problem}")]
    Stream {
        /// The server and the stream.
        name: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A server that does not answer.
    #[error("{name}: {problem}")]
    Server {
        /// The server and the stream.
        name: String,
        /// What was seen and what to do.
        problem: String,
    },
    /// A manifest beside the data that has the name of a built-in one and says other things.
    #[error("{path}: would stand in for burnrec's own manifest of `{name}`; give it another name, such as {name}-mirror.toml, and name that one in data.source", path = path.display())]
    StandsIn {
        /// The manifest.
        path: PathBuf,
        /// The data set.
        name: String,
    },
    /// An operation on rows that failed in the library that holds them.
    #[error("{0}; this is a fault of burnrec or of the data's schema: report it with the file's schema")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl DataError {
    /// Wraps an operating-system error with the path that it belongs to.
    pub fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::Missing { path: path.to_path_buf() },
            _ => Self::Io { path: path.to_path_buf(), source },
        }
    }

    /// Whether the failure is of the world (disk, network) and not of what the user gave.
    pub fn is_environment(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Fetch { .. } | Self::Server { .. } | Self::Arrow(_))
    }
}
