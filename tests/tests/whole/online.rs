//! Models that learn from events as they come: once from each, whatever happens to the job.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use burnrec_tests::{assert_same_weights, command, outcome, run, run_ok};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Events: items have odds of their own, and new users come all the time. Every 97th line is none.
pub(crate) fn events(rows: usize, bad: bool) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut text = String::new();
    for row in 0..rows {
        let (user, item) = (row / 20, rng.random_range(0..40usize));
        let y = u8::from(rng.random::<f64>() < 1.0 / (1.0 + (-(item as f64 - 20.0) / 8.0).exp()));
        let time = 1_600_000_000 + row;
        match row % 97 {
            50 if bad => writeln!(text, "{{\"user\": \"u{user}\", \"item\"").unwrap(),
            51 if bad => {
                writeln!(text, "{{\"user\": \"u{user}\", \"item\": \"i{item}\", \"time\": {time}, \"y\": 7}}").unwrap()
            }
            _ => writeln!(text, "{{\"user\": \"u{user}\", \"item\": \"i{item}\", \"time\": {time}, \"y\": {y}}}")
                .unwrap(),
        }
    }
    text
}

/// A run that was trained on some events, and others to come.
pub(crate) fn folder(model: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        r#"
[data]
source = "first.jsonl"
split = {{ kind = "order", valid = 0.1, test = 0.1 }}
[features]
index = "growing"
[features.fields]
user = "categorical"
item = "categorical"
[tasks.click]
label = "y"
[model.{model}]
[train]
epochs = 2
sparse = {{ kind = "adagrad", learning_rate = 0.05 }}
"#
    );
    std::fs::write(folder.path().join("first.jsonl"), events(600, false)).unwrap();
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "run"]);
    folder
}

const ONLINE: [&str; 8] = ["online", "run", "--rows", "16", "--checkpoint-every", "200", "--time", "time"];

pub(crate) fn rejected(folder: &Path, out: &str) -> String {
    std::fs::read_to_string(folder.join(out).join("rejected.jsonl")).unwrap()
}

#[test]
fn killed_at_any_moment_and_gone_on_with_every_event_is_learned_from_once() {
    for model in ["lr", "fm", "wide_deep"] {
        let folder = folder(model);
        let text = events(6000, true);
        std::fs::write(folder.path().join("more.jsonl"), &text).unwrap();
        let input = ["--input", "more.jsonl", "--max-rejected", "1000"];
        let whole = run_ok(folder.path(), &[&ONLINE[..], &input, &["--out", "whole"]].concat());
        assert!(whole.out.contains("5876 events") && whole.out.contains("124 lines put aside"), "{}", whole.out);
        let page = run_ok(folder.path(), &["report", "whole", "--out", "whole.html"]);
        let page = std::fs::read_to_string(folder.path().join(page.out.trim())).unwrap();
        assert!(
            page.contains("events of the stream") && page.contains("Learns from a stream"),
            "no panel of the stream"
        );
        let resume = [&ONLINE[..], &input, &["--out", "killed", "--resume"]].concat();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for _ in 0..if model == "lr" { 20 } else { 5 } {
            let mut child =
                command(folder.path(), &resume).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(rng.random_range(20..250)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let last = run_ok(folder.path(), &resume);
        assert_same_weights(&folder.path().join("whole"), &folder.path().join("killed"));
        let line = |told: &str| told.lines().next().unwrap().to_string();
        assert_eq!(line(&whole.out), line(&last.out));
        assert_eq!(rejected(folder.path(), "whole"), rejected(folder.path(), "killed"));
        // Nothing is left to learn, and the run predicts.
        let again = run_ok(folder.path(), &resume);
        assert_eq!(line(&whole.out), line(&again.out));
        assert_same_weights(&folder.path().join("whole"), &folder.path().join("killed"));
        run_ok(folder.path(), &["predict", "killed", "--input", "first.jsonl", "--output", "p.csv"]);
        // What was written when the job was killed is no part of another line.
        let events = std::fs::read_to_string(folder.path().join("killed/metrics.jsonl")).unwrap();
        let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
        let lost = events.lines().filter(|line| !read(line)).count();
        assert_eq!(lost, 0, "{events}");
        let step = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["step"].as_u64().unwrap();
        let steps: Vec<u64> = events.lines().map(step).collect();
        assert!(!steps.is_empty() && steps.is_sorted(), "{steps:?}");
    }
}

#[test]
fn a_bad_line_is_put_aside_with_its_place_until_there_are_too_many() {
    let folder = folder("lr");
    std::fs::write(folder.path().join("more.jsonl"), events(2000, true)).unwrap();
    let input = [&ONLINE[..], &["--input", "more.jsonl", "--out", "out"]].concat();
    let many = run(folder.path(), &[&input[..], &["--max-rejected", "9"]].concat());
    assert_eq!(many.code, Some(1), "{}", many.err);
    for says in ["more than 9 lines", "rejected.jsonl", "--resume"] {
        assert!(many.err.contains(says), "{says}: {}", many.err);
    }
    run_ok(folder.path(), &[&input[..], &["--resume"]].concat());
    let aside: Vec<serde_json::Value> =
        rejected(folder.path(), "out").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(aside.len(), 42);
    assert_eq!((aside[0]["line"].as_u64(), aside[1]["line"].as_u64()), (Some(51), Some(52)));
    assert!(
        aside[0]["reason"].as_str().unwrap().contains("no JSON object")
            && aside[1]["reason"].as_str().unwrap().contains("`y`"),
        "{aside:?}"
    );
    let text = std::fs::read_to_string(folder.path().join("more.jsonl")).unwrap();
    let offset = aside[1]["offset"].as_u64().unwrap() as usize;
    assert!(text[offset..].starts_with(aside[1]["text"].as_str().unwrap()));
    // What learned from one stream learns from another from its beginning.
    std::fs::write(folder.path().join("next.jsonl"), events(300, false)).unwrap();
    let next = run_ok(folder.path(), &["online", "out", "--rows", "16", "--input", "next.jsonl", "--out", "next"]);
    assert!(next.out.contains("300 events") && next.out.contains("0 lines put aside"), "{}", next.out);
    // A stream that breaks off keeps what was learned from it.
    let whole = std::fs::read_to_string(folder.path().join("more.jsonl")).unwrap();
    std::fs::write(folder.path().join("cut.jsonl"), &whole).unwrap();
    let follow =
        ["online", "run", "--rows", "16", "--input", "cut.jsonl", "--follow", "--max-rejected", "1000", "--out", "cut"];
    let child = command(folder.path(), &follow).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    std::fs::write(folder.path().join("cut.jsonl"), "{}\n").unwrap();
    let told = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.code() == Some(2) && text.contains("was cut"), "{text}");
    let step = |e: std::fs::DirEntry| e.file_name().to_string_lossy().into_owned();
    let names: Vec<String> =
        std::fs::read_dir(folder.path().join("cut/checkpoints")).unwrap().flatten().map(step).collect();
    assert!(names.iter().any(|name| name.as_str() > "step-000000000100"), "{names:?}");
    // A file that is shorter than what was read of it is another one.
    std::fs::write(folder.path().join("more.jsonl"), events(100, false)).unwrap();
    let other = run(folder.path(), &[&input[..], &["--resume"]].concat());
    assert!(other.code == Some(2) && other.err.contains("begins otherwise"), "{}", other.err);
    let taken = run(folder.path(), &input);
    assert!(taken.code == Some(2) && taken.err.contains("--resume"), "{}", taken.err);
    // So is one that begins otherwise; and what stands in a folder is not trained over.
    let other = events(4000, false).replace("user\": \"u", "user\": \"v");
    std::fs::write(folder.path().join("more.jsonl"), other).unwrap();
    let other = run(folder.path(), &[&input[..], &["--resume"]].concat());
    assert!(other.code == Some(2) && other.err.contains("begins otherwise"), "{}", other.err);
    std::fs::create_dir(folder.path().join("full")).unwrap();
    std::fs::write(folder.path().join("full/x"), "").unwrap();
    let full = run(folder.path(), &["online", "run", "--input", "more.jsonl", "--out", "full"]);
    assert!(full.code == Some(2) && full.err.contains("not empty"), "{}", full.err);
    let itself = run(folder.path(), &["online", "run", "--input", "more.jsonl", "--out", "run", "--resume"]);
    assert!(itself.code == Some(2) && itself.err.contains("no online job"), "{}", itself.err);
    let gone = run(folder.path(), &["online", "run", "--input", "none.jsonl", "--out", "x"]);
    assert!(
        gone.code == Some(2) && gone.err.contains("none.jsonl") && !folder.path().join("x").exists(),
        "{}",
        gone.err
    );
}

#[test]
fn standard_input_and_a_file_that_grows_are_learned_from_as_they_come() {
    let folder = folder("lr");
    let text = events(1600, false);
    std::fs::write(folder.path().join("more.jsonl"), &text).unwrap();
    run_ok(folder.path(), &[&ONLINE[..], &["--input", "more.jsonl", "--out", "file"]].concat());
    let piped = [&ONLINE[..], &["--out", "piped", "--wait", "60s"]].concat();
    let mut child = command(folder.path(), &piped)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_same_weights(&folder.path().join("file"), &folder.path().join("piped"));
    // Followed: half of the file is there, then a line and a half, then the rest; a signal ends it with a checkpoint.
    let path = folder.path().join("grows.jsonl");
    let half = text.match_indices('\n').nth(799).unwrap().0 + 1;
    std::fs::write(&path, &text[..half]).unwrap();
    let follow = [&ONLINE[..], &["--input", "grows.jsonl", "--follow", "--out", "followed", "--wait", "60s"]].concat();
    let mut child = command(folder.path(), &follow).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    for piece in [half + 100, half + 150, text.len()]
        .windows(2)
        .map(|w| (w[0], w[1]))
        .chain([(half, half + 100)])
        .collect::<std::collections::BTreeSet<_>>()
    {
        std::thread::sleep(Duration::from_millis(80));
        file.write_all(&text.as_bytes()[piece.0..piece.1]).unwrap();
    }
    let stands = || {
        std::fs::read_dir(folder.path().join("followed/checkpoints"))
            .is_ok_and(|all| all.flatten().any(|e| e.file_name().to_string_lossy().contains("step-000000000118")))
    };
    for _ in 0..400 {
        if stands() {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    let signal = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(signal.success() && child.wait().unwrap().success());
    assert_same_weights(&folder.path().join("file"), &folder.path().join("followed"));
}

#[test]
fn what_cannot_learn_from_a_stream_is_refused() {
    let folder = folder("lr");
    let refused = |more: &[&str], says: &str| {
        let told = outcome(
            command(folder.path(), &[&["online", "run", "--out", "out"][..], more].concat()).stdin(Stdio::null()),
        );
        assert!(told.code == Some(2) && told.err.contains(says), "{more:?}: {}", told.err);
    };
    refused(&["--follow"], "--follow");
    refused(&["--rate", "0"], "--rate");
    refused(&["--wait", "soon"], "1d");
    refused(&["--rows", "0"], "--rows");
    // What is packed, or no text, is told before a folder is made; of a pipe, as soon as it is read.
    for (name, bytes, says) in [
        ("packed.jsonl.gz", &[0x1f, 0x8b, 8, 0, 10][..], "gzip"),
        ("packed.jsonl", &[0x28, 0xb5, 0x2f, 0xfd, 1], "zstd"),
        ("wide.jsonl", &[0xff, 0xfe, b'{', 0], "UTF-16"),
        ("table.jsonl", b"PAR1\x00\n", "Parquet"),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        refused(&["--input", name], says);
        assert!(!folder.path().join("out").exists());
        let file = std::fs::File::open(folder.path().join(name)).unwrap();
        let told = outcome(command(folder.path(), &["online", "run", "--out", &format!("{name}.out")]).stdin(file));
        assert!(told.code == Some(2) && told.err.contains(says), "{name}: {}", told.err);
    }
    // An empty stream changes nothing but is no error.
    let none = outcome(command(folder.path(), &["online", "run", "--out", "none"]).stdin(Stdio::null()));
    assert!(none.code == Some(0) && none.out.contains("0 events"), "{} {}", none.out, none.err);
}

/// The rows that a run's tables hold, those of forgotten ids included.
fn numbered(run: &Path) -> u64 {
    let step =
        std::fs::read_dir(run.join("checkpoints")).unwrap().flatten().find(|e| e.path().is_dir()).unwrap().path();
    let facts: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(step.join("tables/tables.json")).unwrap()).unwrap();
    facts["rows"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).max().unwrap()
}

#[test]
fn tables_stay_bounded_on_ids_that_never_come_back_and_forgetting_survives_a_kill() {
    let folder = folder("fm");
    let mut text = String::new();
    for row in 0..20_000 {
        writeln!(text, "{{\"user\": \"once{row}\", \"item\": \"i{}\", \"y\": {}}}", row % 40, row % 3 / 2).unwrap();
    }
    std::fs::write(folder.path().join("more.jsonl"), text).unwrap();
    // The config says what is forgotten.
    let config = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    std::fs::write(folder.path().join("job.toml"), format!("{config}evict = {{ steps = 20, every = 10 }}\n")).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "bounded"]);
    let online = ["online", "bounded", "--rows", "16", "--checkpoint-every", "640", "--input", "more.jsonl"];
    run_ok(folder.path(), &[&online[..], &["--out", "whole"]].concat());
    // A row lives for at most 20 + 10 steps of 16 users; 40 items, and what the first run knew.
    let rows = numbered(&folder.path().join("whole"));
    assert!((400..700).contains(&rows), "{rows}");
    let resume = [&online[..], &["--out", "killed", "--resume"]].concat();
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for _ in 0..8 {
        let mut child = command(folder.path(), &resume).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(rng.random_range(30..300)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    run_ok(folder.path(), &resume);
    assert_same_weights(&folder.path().join("whole"), &folder.path().join("killed"));
    // Without it they grow with every id.
    run_ok(folder.path(), &["online", "run", "--rows", "16", "--input", "more.jsonl", "--out", "grown"]);
    assert!(numbered(&folder.path().join("grown")) > 20_000);
    // Ids that are seen once are not let in by a filter that counts to two, and seldom by chance.
    let config = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    let (start, _) = config.split_once("evict").unwrap();
    for (name, more, rows) in
        [("bloom", "admit = { bloom_mib = 1 }\n", 0..300), ("chance", "admit = { probability = 0.05 }\n", 700..1600)]
    {
        let text =
            if name == "bloom" { start.replace("[features]", "[features]\nmin_count = 2") } else { start.to_string() };
        std::fs::write(folder.path().join("admit.toml"), format!("{text}{more}")).unwrap();
        run_ok(folder.path(), &["train", "admit.toml", "--out", name]);
        let online = ["online", name, "--rows", "16", "--checkpoint-every", "640", "--input", "more.jsonl"];
        let (whole, killed) = (format!("{name}-whole"), format!("{name}-killed"));
        run_ok(folder.path(), &[&online[..], &["--out", &whole]].concat());
        let own = numbered(&folder.path().join(&whole));
        assert!(rows.contains(&own), "{name}: {own}");
        let resume = [&online[..], &["--out", &killed, "--resume"]].concat();
        let mut child = command(folder.path(), &resume).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(200));
        child.kill().unwrap();
        child.wait().unwrap();
        run_ok(folder.path(), &resume);
        assert_same_weights(&folder.path().join(&whole), &folder.path().join(&killed));
    }
    for (set, says) in [
        ("train.evict={ every = 5 }", "train.evict"),
        ("train.admit={ probability = 0.0 }", "probability"),
        ("train.admit={ bloom_mib = 4 }", "min_count"),
        ("train.evict={ steps = 5, every = 0 }", "every"),
    ] {
        let told = run(folder.path(), &["check", "job.toml", "--set", set]);
        assert!(told.code == Some(2) && told.err.contains(says), "{}", told.err);
    }
    let told = run(folder.path(), &["check", "job.toml", "--set", "features.index=vocabulary"]);
    assert!(told.code == Some(2) && told.err.contains("growing"), "{}", told.err);
}
