//! Where events come from.

use std::path::{Path, PathBuf};

use super::line::Entry;

/// Where events come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file of JSON lines; `-` for standard input.
    File(PathBuf),
    /// A stream of Redis.
    Redis(RedisStream),
}

/// A stream of Redis, as one job reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisStream {
    /// The server: `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, or `redis+unix:///SOCKET`.
    pub url: String,
    /// The stream's key.
    pub key: String,
    /// The consumer group, which is of this job alone.
    pub group: String,
    /// The consumer's name, of this process of this job: `burnrec-JOB-PROCESS`.
    pub consumer: String,
    /// The entry behind which the job began.
    pub from: Entry,
    /// The field of an entry that holds the event as a line of JSON; none where the fields themselves are the columns.
    pub field: Option<String>,
}

impl Input {
    /// What errors call it; a password is none of theirs.
    pub fn name(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Redis(stream) => stream.name().into(),
        }
    }

    /// The file, where it is one; none for standard input.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) if path != Path::new("-") => Some(path),
            _ => None,
        }
    }
}

impl RedisStream {
    /// Whether an address is one of a server of Redis.
    pub fn is_address(text: &str) -> bool {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_lowercase());
        let known = ["redis", "rediss", "redis+unix", "unix", "valkey", "valkeys", "valkey+unix"];
        scheme.is_some_and(|scheme| known.contains(&&*scheme))
    }

    /// The server without its password, and the stream.
    pub fn name(&self) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("", &self.url));
        // A password may hold anything; a socket's path has none before it.
        let socket = scheme.to_lowercase().contains("unix");
        let host = rest.rfind('@').filter(|_| !socket).map_or(rest, |at| &rest[at + 1..]);
        // Settings behind `?` may hold a password too.
        let host = host.split('?').next().unwrap_or_default();
        format!("{scheme}://{host} `{}`", self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_password() {
        for (url, name) in [
            ("redis://me:se@cret@host:7/2", "redis://host:7/2 `k`"),
            ("redis://host", "redis://host `k`"),
            ("REDIS://me:se/cr?et@host", "REDIS://host `k`"),
            ("redis+unix:///tmp/a@b.sock?pass=secret", "redis+unix:///tmp/a@b.sock `k`"),
        ] {
            let stream = RedisStream {
                url: url.into(),
                key: "k".into(),
                group: "g".into(),
                consumer: String::new(),
                from: Entry::default(),
                field: None,
            };
            assert_eq!(stream.name(), name);
        }
    }
}
