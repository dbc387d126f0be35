//! Models that learn from a stream of Redis: from each entry once in effect, whatever happens to the job or to the server.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use burnrec_tests::{assert_same_weights, command, outcome, run, run_ok, skipped};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use redis::{Connection, cmd};

use crate::online::{events, folder, rejected};

/// A server of its own, on a socket, that keeps what it has on disk.
struct Server {
    folder: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// None, loudly, where Redis is not installed.
    fn start(folder: &Path) -> Option<Self> {
        let mut server = Self { folder: folder.to_path_buf(), child: None };
        match server.begin() {
            true => Some(server),
            false => {
                skipped(
                    "redis-server is not installed (Debian: apt-get install redis-server); streams were not tested",
                );
                None
            }
        }
    }

    fn begin(&mut self) -> bool {
        let settings = ["--port", "0", "--unixsocket", "redis.sock", "--save", "", "--appendonly", "yes"];
        let mut server = Command::new("redis-server");
        server.current_dir(&self.folder).args(settings).args(["--appendfsync", "always"]);
        self.child = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok();
        self.child.is_some()
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", self.folder.join("redis.sock").display())
    }

    fn connect(&self) -> Connection {
        for _ in 0..400 {
            let open = redis::Client::open(self.url()).and_then(|client| client.get_connection());
            if let Ok(mut connection) = open
                && cmd("PING").query::<String>(&mut connection).is_ok()
            {
                return connection;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("the server does not come up");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Adds lines of JSON as entries: under one field, or as fields.
fn add(to: &mut Connection, key: &str, lines: &str, field: Option<&str>) {
    let lines: Vec<&str> = lines.lines().collect();
    for some in lines.chunks(500) {
        let mut all = redis::pipe();
        for line in some {
            let add = all.cmd("XADD").arg(key).arg("*").ignore();
            match (field, serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line)) {
                (None, Ok(fields)) => fields.iter().for_each(|(name, value)| {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
                    add.arg(name).arg(text);
                }),
                (None, Err(_)) => drop(add.arg("user").arg(&b"\xff\xfe"[..])),
                (Some(field), _) => drop(add.arg("source").arg("test").arg(field).arg(*line)),
            }
        }
        all.query::<()>(to).unwrap();
    }
}

/// Entries of a group that are delivered and not acknowledged.
fn pending(to: &mut Connection, key: &str, group: &str) -> u64 {
    let (count, ..): (u64, redis::Value, redis::Value, redis::Value) =
        cmd("XPENDING").arg(key).arg(group).query(to).unwrap();
    count
}

const ONLINE: [&str; 10] =
    ["online", "run", "--rows", "16", "--checkpoint-every", "200", "--time", "time", "--max-rejected", "1000"];

fn first(told: &str) -> String {
    told.lines().next().unwrap().to_string()
}

#[test]
fn killed_at_any_moment_every_entry_is_learned_from_once_and_acknowledged_when_it_is_safe() {
    let folder = folder("fm");
    let Some(server) = Server::start(folder.path()) else { return };
    let mut connection = server.connect();
    let text = events(6000, true);
    std::fs::write(folder.path().join("more.jsonl"), &text).unwrap();
    add(&mut connection, "clicks", &text, None);
    add(&mut connection, "lines", &text, Some("event"));
    let url = server.url();
    let of =
        |key, group, out| [&ONLINE[..], &["--input", &*url, "--key", key, "--group", group, "--out", out]].concat();
    run_ok(folder.path(), &[&ONLINE[..], &["--input", "more.jsonl", "--out", "file"]].concat());
    let whole = run_ok(folder.path(), &of("clicks", "a", "whole"));
    assert!(whole.out.contains("5876 events to entry") && whole.out.contains("124 lines put aside"), "{}", whole.out);
    // What an entry's fields say, a line of JSON says too.
    assert_same_weights(&folder.path().join("file"), &folder.path().join("whole"));
    run_ok(folder.path(), &[&of("lines", "b", "lines")[..], &["--field", "event"]].concat());
    assert_same_weights(&folder.path().join("file"), &folder.path().join("lines"));
    let resume = [&of("clicks", "c", "killed")[..], &["--resume"]].concat();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut left = 0;
    // Longer from time to time: a slow machine takes longer to begin.
    for round in 0..20u64 {
        let mut child = command(folder.path(), &resume).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(rng.random_range(20..250 + 100 * round)));
        child.kill().unwrap();
        child.wait().unwrap();
        let groups: Vec<redis::Value> = cmd("XINFO").arg("GROUPS").arg("clicks").query(&mut connection).unwrap();
        left += if groups.len() == 2 { pending(&mut connection, "clicks", "c") } else { 0 };
    }
    // Some were delivered to a job that was killed before it had them safe.
    assert!(left > 0);
    let last = run_ok(folder.path(), &resume);
    assert_same_weights(&folder.path().join("whole"), &folder.path().join("killed"));
    assert_eq!(first(&whole.out), first(&last.out));
    assert_eq!(rejected(folder.path(), "whole"), rejected(folder.path(), "killed"));
    let aside = rejected(folder.path(), "whole");
    let aside: serde_json::Value = serde_json::from_str(aside.lines().next().unwrap()).unwrap();
    assert!(aside["line"] == 51 && aside["entry"].as_str().unwrap().contains('-'), "{aside}");
    for group in ["a", "c"] {
        assert_eq!(pending(&mut connection, "clicks", group), 0, "{group}");
    }
    // A group that somebody sets back makes no entry count twice, and another reader is told.
    let () = cmd("XGROUP").arg("SETID").arg("clicks").arg("c").arg("0").query(&mut connection).unwrap();
    let back = run_ok(folder.path(), &resume);
    assert_eq!(first(&last.out), first(&back.out));
    // What comes later is learned from when the job goes on, and nothing else.
    add(&mut connection, "clicks", &events(160, false), None);
    let more = run_ok(folder.path(), &resume);
    assert!(more.out.contains("6036 events"), "{}", more.out);
    let again = run_ok(folder.path(), &resume);
    assert_eq!(first(&more.out), first(&again.out));
}

#[test]
fn a_stream_is_followed_over_a_server_that_is_gone_for_a_while() {
    let folder = folder("lr");
    let Some(mut server) = Server::start(folder.path()) else { return };
    let mut connection = server.connect();
    let text = events(1600, false);
    std::fs::write(folder.path().join("more.jsonl"), &text).unwrap();
    run_ok(folder.path(), &[&ONLINE[..], &["--input", "more.jsonl", "--out", "file"]].concat());
    let url = server.url();
    let follow = ["--input", &url, "--key", "clicks", "--follow", "--out", "followed", "--wait", "60s"];
    let mut child = command(folder.path(), &[&ONLINE[..], &follow].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines: Vec<&str> = text.lines().collect();
    add(&mut connection, "clicks", &lines[..900].join("\n"), None);
    std::thread::sleep(Duration::from_millis(600));
    server.stop();
    std::thread::sleep(Duration::from_millis(300));
    assert!(server.begin());
    let mut connection = server.connect();
    add(&mut connection, "clicks", &lines[900..].join("\n"), None);
    // The last checkpoint that is due is of 1,600 events; it acknowledges them.
    let stands = |connection: &mut Connection| {
        let groups: Vec<redis::Value> = cmd("XINFO").arg("GROUPS").arg("clicks").query(connection).unwrap();
        let checkpoints = std::fs::read_dir(folder.path().join("followed/checkpoints"));
        groups.len() == 1
            && checkpoints
                .is_ok_and(|all| all.flatten().any(|e| e.file_name().to_string_lossy().contains("step-000000000168")))
    };
    for _ in 0..400 {
        if stands(&mut connection) {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    let signal = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(signal.success() && child.wait().unwrap().success());
    assert_same_weights(&folder.path().join("file"), &folder.path().join("followed"));
    assert_eq!(pending(&mut connection, "clicks", "burnrec"), 0);
}

#[test]
fn what_was_trimmed_and_who_else_reads_is_told() {
    let folder = folder("lr");
    let Some(server) = Server::start(folder.path()) else { return };
    let mut connection = server.connect();
    let url = server.url();
    let of = ["online", "run", "--rows", "16", "--input", &url, "--key", "clicks", "--out", "x"];
    add(&mut connection, "clicks", &events(320, false), None);
    run_ok(folder.path(), &of);
    let resume = [&of[..], &["--resume"]].concat();
    // What was read may be trimmed.
    let () = cmd("XTRIM").arg("clicks").arg("MAXLEN").arg(50).query(&mut connection).unwrap();
    add(&mut connection, "clicks", &events(320, false), None);
    let fine = run_ok(folder.path(), &resume);
    assert!(fine.out.contains("640 events") && !fine.err.contains("trimmed"), "{}", fine.err);
    add(&mut connection, "clicks", &events(320, false), None);
    let () = cmd("XTRIM").arg("clicks").arg("MAXLEN").arg(100).query(&mut connection).unwrap();
    let lost = run_ok(folder.path(), &resume);
    assert!(lost.out.contains("740 events") && lost.err.contains("220 entries were trimmed"), "{}", lost.err);
    // Two jobs of one group, the second a copy of the first's folder: what was read beside another is not kept, and is told.
    let copied = Command::new("cp").args(["-r", "x", "y"]).current_dir(folder.path()).status().unwrap();
    assert!(copied.success());
    let follow = [&resume[..], &["--follow", "--checkpoint-every", "16", "--wait", "100ms"]].concat();
    let child = command(folder.path(), &follow).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1000));
    let other = ["online", "run", "--input", &url, "--key", "clicks", "--out", "y", "--resume", "--follow"];
    let mut other = command(folder.path(), &other).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1000));
    add(&mut connection, "clicks", &events(640, false), None);
    let told = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.code() == Some(2) && text.contains("also read by"), "{text}");
    other.kill().unwrap();
    other.wait().unwrap();
    // One after the other, each learns from all of it.
    for out in ["x", "y"] {
        let job = ["online", "run", "--rows", "16", "--input", &url, "--key", "clicks", "--out", out, "--resume"];
        let told = run_ok(folder.path(), &job);
        assert!(told.out.contains("1380 events"), "{out}: {}", told.out);
    }
    // A reader of another kind is told before anything that has holes is kept.
    add(&mut connection, "clicks", &events(64, false), None);
    let mut read = cmd("XREADGROUP");
    read.arg("GROUP").arg("burnrec").arg("thief").arg("COUNT").arg(1).arg("STREAMS").arg("clicks").arg(">");
    let _: redis::Value = read.query(&mut connection).unwrap();
    let refused = run(folder.path(), &resume);
    assert!(refused.code == Some(2) && refused.err.contains("`thief`"), "{}", refused.err);
    let _: u64 =
        cmd("XGROUP").arg("DELCONSUMER").arg("clicks").arg("burnrec").arg("thief").query(&mut connection).unwrap();
    let whole = run_ok(folder.path(), &resume);
    assert!(whole.out.contains("1444 events"), "{}", whole.out);
}

#[test]
fn what_cannot_be_read_from_redis_is_told_with_what_to_do() {
    let folder = folder("lr");
    let refused = |more: &[&str], code: i32, says: &str| {
        let told = outcome(
            command(folder.path(), &[&["online", "run", "--out", "out"][..], more].concat()).stdin(Stdio::null()),
        );
        assert!(told.code == Some(code) && told.err.contains(says), "{more:?}: {:?} {}", told.code, told.err);
        assert!(!told.err.contains("secret"), "{}", told.err);
    };
    refused(&["--input", "redis://localhost"], 2, "--key");
    refused(&["--key", "k"], 2, "redis://");
    refused(&["--input", "redis://localhost", "--key", ""], 2, "empty");
    refused(&["--input", "redis://u:sec/secret@localhost:1", "--key", "k"], 2, "no address");
    refused(&["--input", "http://u:secret@localhost:1", "--key", "k"], 2, "is none");
    refused(&["--input", "rediss://u:secret@localhost", "--key", "k"], 2, "TLS");
    refused(&["--input", "redis://u:secret@localhost:x", "--key", "k", "--resume"], 2, "no address");
    refused(&["--input", "redis+unix:///none.sock?pass=secret", "--key", "k", "--resume"], 1, "cannot be connected to");
    let Some(server) = Server::start(folder.path()) else { return };
    let mut connection = server.connect();
    let url = server.url();
    add(&mut connection, "clicks", &events(320, false), None);
    let () = cmd("SET").arg("text").arg("1").query(&mut connection).unwrap();
    refused(&["--input", &url, "--key", "none", "--resume"], 2, "no such stream");
    assert!(!folder.path().join("out").exists());
    refused(&["--input", &url, "--key", "text", "--resume"], 2, "WRONGTYPE");
    // A group that was made by hand says where to begin.
    let third: Vec<(String, redis::Value)> =
        cmd("XRANGE").arg("clicks").arg("-").arg("+").arg("COUNT").arg(20).query(&mut connection).unwrap();
    let () = cmd("XGROUP").arg("CREATE").arg("clicks").arg("mine").arg(&third[19].0).query(&mut connection).unwrap();
    let mine = ["online", "run", "--input", &url, "--key", "clicks", "--group", "mine", "--out"];
    let told = run_ok(folder.path(), &[&mine[..], &["mine"]].concat());
    assert!(told.out.contains("300 events"), "{}", told.out);
    // It is of that job alone; and the job is of that stream.
    refused(&["--input", &url, "--key", "clicks", "--group", "mine", "--resume"], 2, "another job");
    let other = run(
        folder.path(),
        &["online", "run", "--input", &url, "--key", "clicks", "--group", "x", "--out", "mine", "--resume"],
    );
    assert!(other.code == Some(2) && other.err.contains("group `mine`"), "{}", other.err);
    let file = run(folder.path(), &["online", "run", "--input", "first.jsonl", "--out", "mine", "--resume"]);
    assert!(file.code == Some(2) && file.err.contains("stream `clicks`"), "{}", file.err);
    let () = cmd("XGROUP").arg("CREATECONSUMER").arg("clicks").arg("mine").arg("else").query(&mut connection).unwrap();
    let shared = run(folder.path(), &[&mine[..], &["mine", "--resume"]].concat());
    assert!(shared.code == Some(2) && shared.err.contains("`else`"), "{}", shared.err);
    // A stream that was made anew is another one, and one that is gone is told.
    let () = cmd("DEL").arg("clicks").query(&mut connection).unwrap();
    let gone = run(folder.path(), &[&mine[..], &["mine", "--resume"]].concat());
    assert!(gone.code == Some(2) && gone.err.contains("no such stream any more"), "{}", gone.err);
    let () = cmd("XADD").arg("clicks").arg("1-1").arg("user").arg("u").query(&mut connection).unwrap();
    let anew = run(folder.path(), &[&mine[..], &["mine", "--resume"]].concat());
    assert!(anew.code == Some(2) && anew.err.contains("another stream"), "{}", anew.err);
}
