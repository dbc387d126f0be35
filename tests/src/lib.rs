//! What the tests of the whole share: running the binary as a user would, and small files to run it on.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "test support: a failure is a failed test")]

pub mod small;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use burnrec_models::{Fields, Heads, Learns, Reads, registered};
use burnrec_record::{SUMMARY, Summary};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The binary, built by the same `cargo test --workspace`.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let path = test.ancestors().nth(2).expect("target/release/deps").join("burnrec");
    assert!(path.is_file(), "{} is not built; run `cargo build --release -p burnrec` first", path.display());
    path
}

/// The top of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is below the workspace").to_path_buf()
}

/// What a run of the binary came to.
pub struct Outcome {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// A command in a folder of its own, on the CPU by default.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(folder).args(arguments).env("BURNREC_DATA", folder.join("datasets")).env_remove("RUST_LOG");
    command
}

/// Runs the binary in a folder.
pub fn run(folder: &Path, arguments: &[&str]) -> Outcome {
    outcome(&mut command(folder, arguments))
}

/// Runs a command to its end.
pub fn outcome(command: &mut Command) -> Outcome {
    let Output { status, stdout, stderr } = command.output().expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Outcome { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// Runs a command that can go on, ends it by a signal (`KILL`, `INT`) after a random time of at most 60% of the seconds that it takes
/// as a whole, and again, until it comes to its own end; how often it was ended.
pub fn ended_at_random(folder: &Path, arguments: &[&str], signal: &str, whole: f64, rng: &mut ChaCha8Rng) -> usize {
    for times in 0.. {
        let mut job = command(folder, arguments);
        let mut child = job.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let end = Instant::now() + Duration::from_secs_f64(rng.random_range(0.02..0.6 * whole));
        let mut ended = None;
        while ended.is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
            ended = child.try_wait().expect("it can be waited for");
        }
        if ended.is_none() {
            let pid = child.id().to_string();
            Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("there is a kill");
        }
        let status = child.wait().expect("it ends");
        if ended.is_some() {
            assert!(status.success(), "a job that was gone on with failed: {status}");
            return times;
        }
    }
    0
}

/// Runs the binary and wants success.
pub fn run_ok(folder: &Path, arguments: &[&str]) -> Outcome {
    let outcome = run(folder, arguments);
    assert_eq!(outcome.code, Some(0), "{arguments:?}\n{}\n{}", outcome.out, outcome.err);
    outcome
}

/// Trains `job.toml` and wants exit code 2, all of `says` in the message, and nothing written.
pub fn refused(folder: &Path, more: &[&str], says: &[&str]) {
    let arguments = [&["train", "job.toml", "--out", "out"], more].concat();
    let outcome = run(folder, &arguments);
    assert_eq!(outcome.code, Some(2), "{}\n{}", outcome.out, outcome.err);
    for word in says {
        assert!(outcome.err.contains(word), "no `{word}` in: {}", outcome.err);
    }
    assert!(!folder.join("out").exists(), "something was written");
}

/// A click log as CSV with a pattern that can be learned: `user,item,tags,price,clicked,time`.
pub fn click_log(rows: usize, seed: u64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut text = String::from("user,item,tags,price,clicked,time\n");
    for row in 0..rows {
        let (user, item) = (rng.random_range(0..50u32), rng.random_range(0..80u32));
        let tags = format!("t{}|t{}", item % 7, item % 5);
        let price = f64::from(item) * 0.5 + rng.random::<f64>();
        let z = f64::from(user % 5) - f64::from(item % 4) + if (user + item) % 3 == 0 { 1.5 } else { -1.0 };
        let clicked = u8::from(rng.random::<f64>() < 1.0 / (1.0 + (-z).exp()));
        writeln!(text, "u{user},i{item},{tags},{price:.3},{clicked},{}", 1000 + row * 60).unwrap();
    }
    text
}

/// The tasks of a model over a column of 0 and 1: one, or a chain of as many as the model has heads for at the least.
pub fn tasks(reads: &Reads, column: &str) -> String {
    let first = format!("[tasks.label]\nlabel = \"{column}\"\n");
    let after = |name: &str| format!("\n[tasks.{name}]\nlabel = \"{column}\"\nparent = \"label\"\n");
    match reads.heads {
        Heads::Chain => first + &after("after"),
        Heads::Branches => first + &after("between") + &after("after"),
        Heads::One | Heads::Any => first,
    }
}

/// What a model of this name reads.
pub fn reads(model: &str) -> Reads {
    let known = registered().into_iter().find(|info| info.name == model);
    known.unwrap_or_else(|| panic!("no model {model}")).reads
}

/// An experiment over [`click_log`]'s columns: of what the model reads, all that there is.
pub fn experiment(source: &str, model: &str, train: &str) -> String {
    let reads = reads(model);
    let (history, past) = match reads.reads_sequences() {
        true => (
            "history = { user = \"user\", time = \"time\", columns = { past = \"item\" }, max_length = 8 }\n",
            "past = { kind = \"sequence\", table = \"item\", max_length = 8 }\n",
        ),
        false => ("", ""),
    };
    let own = match reads.fields {
        Fields::UserAndItem => "user = \"user\"\nitem = \"item\"\n",
        Fields::Placed => "places = [\"place\"]\n",
        _ => "",
    };
    let user = if reads.pairs() { "" } else { "user = \"categorical\"\n" };
    let tags = "tags = { kind = \"multi\", separator = \"|\" }\n";
    let cross = "user_x_item = { kind = \"cross\", of = [\"user\", \"item\"] }\n";
    let more = match reads.fields {
        Fields::UserAndItem | Fields::Item => String::new(),
        Fields::Described => tags.to_string(),
        Fields::Placed => {
            format!("{tags}price = \"numeric\"\nplace = {{ kind = \"bucket\", column = \"price\", quantiles = 5 }}\n")
        }
        Fields::All => format!("{tags}price = \"numeric\"\n{}", if reads.crosses { cross } else { "" }),
    };
    let described = if reads.fields == Fields::Described { "fields = [\"tags\"]\n" } else { "" };
    let items = format!("\n[features.items]\nid = \"item\"\nuser = \"user\"\n{described}time = \"time\"\n");
    let pairs = "\n[features.pairs]\nwindow = 3\n\n[features.negatives]\nper_positive = 3\nsampler = \"popularity\"\n";
    let drawn = match reads.learns {
        Learns::Items => items + "\n[features.negatives]\nshared = 20\nsampler = \"log_uniform\"\n",
        Learns::Pairs => items + pairs,
        Learns::Rows if reads.trees => "\n[features.trees]\ntrees = 10\n".to_string(),
        Learns::Rows => String::new(),
    };
    let tasks = tasks(&reads, "clicked");
    format!(
        r#"[data]
source = "{source}"
split = {{ kind = "random", valid = 0.1, test = 0.1 }}
{history}
[backend]
device = "flex"

[features]
group = "user"

[features.fields]
{user}item = "categorical"
{more}{past}{drawn}
{tasks}
[model.{model}]
{own}
[train]
{train}
"#
    )
}

/// A folder with `log.csv` and `job.toml`.
pub fn job(rows: usize, model: &str, train: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("log.csv"), click_log(rows, 7)).unwrap();
    std::fs::write(folder.path().join("job.toml"), experiment("log.csv", model, train)).unwrap();
    folder
}

/// The outcome of a run.
pub fn summary(run: &Path) -> Summary {
    let text = std::fs::read_to_string(run.join(SUMMARY)).expect("a run has a summary");
    serde_json::from_str(&text).expect("a summary is read by the type that wrote it")
}

/// The bytes of every file of a run's latest checkpoint that holds weights or optimiser state of tables,
/// by name; the dense optimiser's container orders its entries at random and is left out.
pub fn weights(run: &Path) -> Vec<(String, Vec<u8>)> {
    let manifest = std::fs::read_to_string(run.join("checkpoints/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let latest = manifest["latest"].as_str().unwrap();
    let files = manifest["files"][latest].as_object().unwrap();
    let names = files.keys().filter(|n| n.ends_with(".arrow") || n.ends_with(".safetensors"));
    let read = |n: &String| std::fs::read(run.join("checkpoints").join(latest).join(n)).unwrap();
    names.map(|n| (n.clone(), read(n))).collect()
}

/// Two runs ended with the same bits.
pub fn assert_same_weights(a: &Path, b: &Path) {
    let (a, b) = (weights(a), weights(b));
    assert!(a.len() >= 3, "{:?}", a.iter().map(|f| &f.0).collect::<Vec<_>>());
    assert_eq!(a.len(), b.len());
    for ((name, left), (other, right)) in a.iter().zip(&b) {
        assert_eq!(name, other);
        assert!(left == right, "{name} differs");
    }
}

/// Says loudly that a test did not run.
pub fn skipped(reason: &str) {
    use std::io::Write;
    // Past the test harness's capture, so that nobody takes the test for one that passed.
    drop(writeln!(std::io::stderr().lock(), "\n*** SKIPPED: {reason}\n"));
}
