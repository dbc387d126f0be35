//! `burnrec serve-report`: the page of runs, live. It reads run folders and writes nothing.

mod request;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use burnrec_report::{Folder, live_page, update};

use crate::args::ServeArgs;
use crate::error::CliError;
use crate::out;
use request::{Request, read};

/// Connections at a time; others are turned away.
const MOST: usize = 64;

/// How often folders are looked at for those who wait.
const EVERY: Duration = Duration::from_secs(1);

/// How long nothing may be said to those who wait.
const SILENCE: Duration = Duration::from_secs(15);

/// How long a client may take to take an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is served, and to whom.
struct Server {
    runs: Vec<PathBuf>,
    /// The names under which it may be asked for: other names are those of somebody else's page.
    hosts: Vec<String>,
    /// Whether it listens at every address of the machine, and may be asked under each.
    everywhere: bool,
    open: AtomicUsize,
    /// What those who wait were told last, with the state of the files that it was made of.
    told: Mutex<(Stamp, Arc<str>)>,
}

/// When the files that a page is made of were changed, and how large they are; nothing for those that are not there.
type Stamp = Vec<Option<(SystemTime, u64)>>;

/// Serves until the process is ended.
pub fn run(args: &ServeArgs) -> Result<(), CliError> {
    Folder::read_all(&args.runs)?;
    let address = SocketAddr::new(args.host, args.port);
    let listener = TcpListener::bind(address).map_err(|e| {
        CliError::Usage(format!(
            "--host {} --port {}: {e}; give others (port 0 is any that is free)",
            args.host, args.port
        ))
    })?;
    let address = listener.local_addr().unwrap_or(address);
    if !args.host.is_loopback() {
        tracing::warn!("{address} can be reached from other machines, by everyone who knows the address");
    }
    out::line(&format!("http://{address}"))?;
    let server = Arc::new(Server {
        runs: args.runs.clone(),
        hosts: hosts(address),
        everywhere: address.ip().is_unspecified(),
        open: AtomicUsize::new(0),
        told: Mutex::default(),
    });
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => serve(&server, stream),
            // Out of descriptors, for one: those who are served give some back.
            Err(_) => std::thread::sleep(EVERY / 10),
        }
    }
    Ok(())
}

/// How clients may call the server. One that listens to every address is called by any of them.
fn hosts(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let mut hosts = vec![address.to_string()];
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")));
    }
    // Browsers leave the usual port out.
    let bare: Vec<String> = hosts.iter().filter_map(|host| host.strip_suffix(":80")).map(String::from).collect();
    hosts.extend(bare);
    hosts
}

/// Answers on a thread of its own, if there is one left.
fn serve(server: &Arc<Server>, mut stream: TcpStream) {
    if server.open.fetch_add(1, Ordering::Relaxed) >= MOST {
        server.open.fetch_sub(1, Ordering::Relaxed);
        drop(stream.set_write_timeout(Some(Duration::from_millis(100))));
        drop(answer(&mut stream, "503 Service Unavailable", "text/plain", "too many connections\n"));
        return;
    }
    let own = server.clone();
    let thread = std::thread::Builder::new().name("serve".into()).stack_size(1 << 20);
    let started = thread.spawn(move || {
        if let Some(request) = read(&mut stream) {
            drop(stream.set_write_timeout(Some(PATIENCE)));
            drop(own.reply(&mut stream, &request));
        }
        own.open.fetch_sub(1, Ordering::Relaxed);
    });
    if started.is_err() {
        server.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Server {
    fn reply(&self, stream: &mut TcpStream, request: &Request) -> std::io::Result<()> {
        let known = request.host.as_ref().is_some_and(|host| self.is_own(host));
        let path = request.path.split('?').next().unwrap_or_default();
        match (known, request.method.as_str(), path) {
            (false, ..) => answer(stream, "403 Forbidden", "text/plain", "asked under another name\n"),
            (_, "GET", "/") => match Folder::read_all(&self.runs) {
                Ok(folders) => answer(stream, "200 OK", "text/html", &live_page(&folders)),
                Err(error) => answer(stream, "500 Internal Server Error", "text/plain", &format!("{error}\n")),
            },
            (_, "GET", "/events") => self.tell(stream),
            (_, "GET", _) => answer(stream, "404 Not Found", "text/plain", "there is / alone\n"),
            _ => answer(stream, "405 Method Not Allowed", "text/plain", "this page is for reading\n"),
        }
    }

    /// Whether a name is the server's: one of those it knows, or an address, which no other page can stand behind.
    fn is_own(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| own == host) || (self.everywhere && host.parse::<SocketAddr>().is_ok())
    }

    /// Tells of changes for as long as somebody listens.
    fn tell(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        head(stream, "200 OK", "text/event-stream", None)?;
        // What changed since the page was made is told at once.
        let (mut known, mut spoke) = (None, Instant::now());
        loop {
            let now = self.stamp();
            if known.as_ref() != Some(&now) {
                // A file that is being written is read the next time.
                if let Some(text) = self.rendered(&now) {
                    write!(stream, "data: {text}\n\n")?;
                    (known, spoke) = (Some(now), Instant::now());
                }
            } else if spoke.elapsed() > SILENCE {
                write!(stream, ":\n\n")?;
                spoke = Instant::now();
            }
            std::thread::sleep(EVERY);
        }
    }

    /// The page as an update, made once for all who wait.
    fn rendered(&self, now: &Stamp) -> Option<Arc<str>> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0 != *now || told.1.is_empty() {
            let folders = Folder::read_all(&self.runs).ok()?;
            *told = (now.clone(), update(&folders).into());
        }
        Some(told.1.clone())
    }

    /// The state of the files now.
    fn stamp(&self) -> Stamp {
        let files = ["metrics.jsonl", "summary.json", "details.json", "sweep.json", "windows.jsonl", "hours.jsonl"];
        let of = |path: &Path| {
            let data = std::fs::metadata(path).ok()?;
            Some((data.modified().ok()?, data.len()))
        };
        self.runs.iter().flat_map(|run| files.map(|name| of(&run.join(name)))).collect()
    }
}

/// The head of an answer. Pages may run what stands in them, and ask nobody else for anything.
fn head(stream: &mut TcpStream, status: &str, kind: &str, length: Option<usize>) -> std::io::Result<()> {
    let length = length.map_or_else(String::new, |n| format!("Content-Length: {n}\r\n"));
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\n{length}Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'\r\n\r\n"
    )
}

fn answer(stream: &mut TcpStream, status: &str, kind: &str, body: &str) -> std::io::Result<()> {
    head(stream, status, kind, Some(body.len()))?;
    stream.write_all(body.as_bytes())
}
