//! The live page against clients of every kind: it shows what runs write, and nothing else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use burnrec_tests::{command, job, run, run_ok};

/// A server that ends with the test.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut asked = command(folder, &["serve-report", "out", "--port", "0"]);
        let mut child = asked.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap_or_else(|| panic!("`{line}`")).to_string();
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// The whole answer to a request; empty where the server hung up.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        drop(stream.write_all(request.as_bytes()));
        let mut bytes = Vec::new();
        drop(stream.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn get(&self, path: &str, host: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    }
}

fn trained() -> tempfile::TempDir {
    let folder = job(400, "lr", "epochs = 2\nbatch_size = 128");
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    folder
}

#[test]
fn the_page_is_for_those_who_ask_for_it_by_its_own_name() {
    let folder = trained();
    let server = Server::start(folder.path());
    let own = server.address.clone();
    let page = server.get("/", &own);
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("EventSource"), "{}", &page[..page.len().min(400)]);
    for header in ["Content-Security-Policy: default-src 'none'", "X-Content-Type-Options: nosniff", "no-store"] {
        assert!(page.contains(header), "no {header}");
    }
    let port = own.rsplit(':').next().unwrap();
    assert!(server.get("/", &format!("localhost:{port}")).starts_with("HTTP/1.1 200"));
    for host in ["evil.example", "evil.example:80", "127.0.0.1", "", &format!("evil.example:{port}")] {
        assert!(server.get("/", host).starts_with("HTTP/1.1 403"), "{host}");
    }
    assert!(server.ask("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 403"));
    for path in ["/../config.toml", "/out/config.toml", "/..%2f..%2fetc/passwd", "//", "/events/.."] {
        let answer = server.get(path, &own);
        assert!(answer.starts_with("HTTP/1.1 404") && !answer.contains("[train]"), "{path}: {answer}");
    }
    let post = server.ask(&format!("POST / HTTP/1.1\r\nHost: {own}\r\nContent-Length: 5\r\n\r\nhello"));
    assert!(post.starts_with("HTTP/1.1 405"), "{post}");
    assert_eq!(server.ask(&"x".repeat(100_000)), "");
}

#[test]
fn those_who_wait_are_told_what_changed() {
    let folder = trained();
    let server = Server::start(folder.path());
    let mut stream = server.connect();
    write!(stream, "GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let events = folder.path().join("out/metrics.jsonl");
    let line = r#"{"time":9.0,"phase":"train","epoch":3,"step":99,"split":"valid","metrics":{"auc":0.98765}}"#;
    let mut file = std::fs::OpenOptions::new().append(true).open(events).unwrap();
    writeln!(file, "{line}").unwrap();
    let mut told = String::new();
    for line in BufReader::new(stream).lines() {
        told = line.unwrap();
        // The first is what the page has already.
        if told.starts_with("data: ") && told.contains("0.98765") {
            break;
        }
    }
    let data: serde_json::Value = serde_json::from_str(told.strip_prefix("data: ").unwrap()).unwrap();
    assert!(data["charts"].to_string().contains("0.98765") && data["main"].as_str().unwrap().contains("<h1>"));
}

#[test]
fn a_thousand_slow_clients_are_outlived() {
    let folder = trained();
    let server = Server::start(folder.path());
    let mut slow = Vec::new();
    for n in 0..1000 {
        // As many as this process may hold.
        let Ok(mut stream) = TcpStream::connect(&server.address) else { break };
        if n % 2 == 0 {
            drop(stream.write_all(b"GET / HT"));
        }
        slow.push(stream);
    }
    assert!(slow.len() > 100, "{} connections", slow.len());
    let begins = Instant::now();
    let mut answer = String::new();
    while !answer.starts_with("HTTP/1.1 200") && begins.elapsed() < Duration::from_secs(30) {
        answer = server.get("/", &server.address);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn what_cannot_be_served_is_refused() {
    let folder = trained();
    let nothing = run(folder.path(), &["serve-report", "nowhere"]);
    assert!(nothing.code == Some(2) && nothing.err.contains("no folder"), "{}", nothing.err);
    let server = Server::start(folder.path());
    let port = server.address.rsplit(':').next().unwrap();
    let taken = run(folder.path(), &["serve-report", "out", "--port", port]);
    assert!(taken.code == Some(2) && taken.err.contains("--port"), "{}", taken.err);
}

#[test]
fn a_run_is_watched_from_its_first_event_to_its_end() {
    let folder = trained();
    let text = run_ok(folder.path(), &["watch", "out"]).out;
    assert!(text.contains("valid") && text.contains("auc") && text.contains("completed"), "{text}");
    std::fs::remove_file(folder.path().join("out/summary.json")).unwrap();
    let left = run(folder.path(), &["watch", "out"]);
    assert!(left.code == Some(1) && left.err.contains("--resume"), "{}", left.err);
    assert!(run_ok(folder.path(), &["runs", "."]).out.contains("stopped"));
    std::fs::write(folder.path().join("out/summary.json"), "{").unwrap();
    let damaged = run(folder.path(), &["watch", "out"]);
    assert!(damaged.code == Some(2) && damaged.err.contains("summary.json"), "{}", damaged.err);
    let nothing = run(folder.path(), &["watch", "nowhere"]);
    assert!(nothing.code == Some(2), "{}", nothing.err);
}
