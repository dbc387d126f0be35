//! What a client asks, read with limits: a line, headers, nothing behind them.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Bytes of a request, at most.
const MOST: usize = 8 << 10;

/// How long a client may take for them.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) host: Option<String>,
}

/// Reads a request; none of clients that take too long, say too much, or go.
pub(super) fn read(stream: &mut TcpStream) -> Option<Request> {
    let begins = Instant::now();
    let mut bytes = Vec::new();
    let mut part = [0; 1024];
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = PATIENCE.checked_sub(begins.elapsed()).filter(|left| !left.is_zero())?;
        stream.set_read_timeout(Some(left)).ok()?;
        let count = stream.read(&mut part).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&part[..count]);
        if bytes.len() > MOST {
            return None;
        }
    }
    parse(&String::from_utf8_lossy(&bytes))
}

fn parse(text: &str) -> Option<Request> {
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_string(), first.next()?.to_string());
    let mut hosts = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim().to_ascii_lowercase())
    });
    let host = hosts.next();
    // Two hosts are nobody's.
    let host = if hosts.next().is_some() { None } else { host };
    Some(Request { method, path, host })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_its_line_and_its_host() {
        let found = parse("GET /events HTTP/1.1\r\nHOST: LocalHost:7000\r\nAccept: */*\r\n\r\n").unwrap();
        let expected = Request { method: "GET".into(), path: "/events".into(), host: Some("localhost:7000".into()) };
        assert_eq!(found, expected);
        assert_eq!(parse("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").unwrap().host, None);
        assert!(parse("GET\r\n\r\n").is_none());
    }
}
