//! Schedules over logs whose truth drifts: what they come to, what they read, how they are taken up again.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use burnrec_record::ReplaySummary;
use burnrec_tests::{assert_same_weights, command, run, run_ok};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ITEMS: usize = 30;
const DAY: u64 = 86_400;

/// A log of `days` with `rows` each; items' log-odds walk by `drift` a day, and labels are others on days that are `flipped`.
pub(crate) fn log(days: usize, rows: usize, drift: f64, flipped: &[usize]) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut odds: Vec<f64> = (0..ITEMS).map(|_| rng.random_range(-2.0..2.0)).collect();
    let mut text = String::from("user,item,time,y\n");
    for day in 0..days {
        for row in 0..rows {
            let (user, item) = (rng.random_range(0..40usize), rng.random_range(0..ITEMS));
            let chance = 1.0 / (1.0 + (-odds[item]).exp());
            let y = (rng.random::<f64>() < chance) != flipped.contains(&day);
            let time = 1_600_000_000 / DAY * DAY + day as u64 * DAY + row as u64 * DAY / rows as u64;
            writeln!(text, "u{user},i{item},{time},{}", u8::from(y)).unwrap();
        }
        odds.iter_mut().for_each(|o| *o += rng.random_range(-drift..=drift));
    }
    text
}

fn config(schedule: &str) -> String {
    format!(
        r#"
[data]
source = "log.csv"
[features.fields]
user = "categorical"
item = "categorical"
[tasks.click]
label = "y"
[model.lr]
[train]
batch_size = 32
sparse = {{ kind = "adagrad", learning_rate = 0.1 }}
[schedule]
time = "time"
epochs = 3
{schedule}
"#
    )
}

pub(crate) fn folder(log: &str, schedule: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), log).unwrap();
    std::fs::write(folder.path().join("job.toml"), config(schedule)).unwrap();
    folder
}

fn replayed(folder: &Path, out: &str, more: &[&str]) -> ReplaySummary {
    run_ok(folder, &[&["replay", "job.toml", "--out", out][..], more].concat());
    serde_json::from_str(&std::fs::read_to_string(folder.join(out).join("summary.json")).unwrap()).unwrap()
}

pub(crate) const ALL: &str = "[schedule.stale]\n[schedule.incremental]\nreplay = 0.2\ndistil = 0.1\ndecay = 0.9\n[schedule.combined]\nrounds = 2\n[schedule.online]\nrows = 4\n[schedule.full]\n";

pub(crate) fn lines(path: &Path) -> Vec<serde_json::Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_way_predicts_each_window_before_it_learns_from_it() {
    let folder = folder(&log(10, 400, 1.0, &[]), ALL);
    let told = run_ok(folder.path(), &["check", "job.toml"]).out;
    for says in [
        "10 of 1d by time",
        "2000 rows, 6000 to learn from",
        "5 x round, 2 x judge, 2 x full",
        "5 x full",
        "2000 rows to learn from",
    ] {
        assert!(told.contains(says), "{says}: {told}");
    }
    let summary = replayed(folder.path(), "out", &[]);
    assert_eq!((summary.rows["start"], summary.rows["judged"], summary.windows), (2000, 2000, 5));
    let auc = |way: &str| summary.replay[way].get("click", "auc").unwrap();
    let loss = |way: &str| summary.replay[way].get("click", "logloss").unwrap();
    assert!(auc("incremental") > auc("stale") + 0.005 && auc("online") > auc("stale") + 0.02, "{summary:?}");
    assert!(loss("incremental") < loss("stale") && loss("combined") < loss("stale") && loss("full") < loss("stale"));
    let windows = lines(&folder.path().join("out/windows.jsonl"));
    assert_eq!(windows.len(), 25);
    // The first window is predicted by the same weights wherever nothing was learned before it.
    let first = |way: &str| windows.iter().find(|w| w["schedule"] == way).unwrap()["metrics"].clone();
    assert!(["incremental", "combined", "full"].iter().all(|way| first(way) == first("stale")));
    assert_ne!(first("online"), first("stale"));
    // Rows: a fifth of what is learned is of before; the others learn as often as the plan says.
    let cost = |way: &str| summary.replay[way].0["rows"].as_u64().unwrap();
    assert_eq!((cost("stale"), cost("online"), cost("incremental")), (0, 2000, 2500));
    assert_eq!(cost("full"), 3 * (2400 + 2800 + 3200 + 3600 + 4000));
    // Each way's folder is a run: its model predicts. A replay is none, and a schedule has no sides.
    for (arguments, says) in [
        (&["evaluate", "out"][..], "out/incremental"),
        (&["rollback", "out"], "out/incremental"),
        (&["online", "out", "--input", "log.csv"], "out/incremental"),
        (&["online", "out/online", "--input", "log.csv"], "lines of JSON"),
        (&["evaluate", "out/online"], "--input"),
        (&["apply", "job.toml", "--to", "copy"], "is a file"),
    ] {
        let refused = run(folder.path(), arguments);
        assert!(refused.code == Some(2) && refused.err.contains(says), "{arguments:?}: {}", refused.err);
    }
    run_ok(folder.path(), &["evaluate", "out/online", "--input", "log.csv"]);
    run_ok(folder.path(), &["predict", "out/online", "--input", "log.csv", "--output", "p.csv"]);
}

#[test]
fn going_on_trains_nothing_twice_and_equals_never_having_stopped() {
    let folder = folder(&log(10, 400, 1.0, &[]), ALL);
    let whole = replayed(folder.path(), "whole", &[]);
    let ways = ["stale", "incremental", "combined", "online", "full"];
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for _ in 0..12 {
        let mut child = command(folder.path(), &["replay", "job.toml", "--out", "out", "--resume"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(rng.random_range(30..700)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let resumed = replayed(folder.path(), "out", &["--resume"]);
    for way in ways {
        assert_same_weights(&folder.path().join("whole").join(way), &folder.path().join("out").join(way));
        let (a, b) = (&whole.replay[way], &resumed.replay[way]);
        let same = |name: &str| a.0[name] == b.0[name];
        assert!(same("auc") && same("logloss") && same("rows"), "{way}: {a:?} {b:?}");
        let judged = |out: &str| std::fs::read(folder.path().join(out).join(way).join("judged.bin")).unwrap();
        assert!(judged("whole") == judged("out"), "{way}");
    }
    let ledger = |way: &str| std::fs::read_to_string(folder.path().join("out").join(way).join("ledger.jsonl")).unwrap();
    let before: Vec<String> = ways.iter().map(|way| ledger(way)).collect();
    replayed(folder.path(), "out", &["--resume"]);
    assert_eq!(before, ways.iter().map(|way| ledger(way)).collect::<Vec<_>>());
    // Rows that changed behind a ledger's back are refused, and so is another config.
    let text = std::fs::read_to_string(folder.path().join("log.csv")).unwrap();
    let other = if text.ends_with("0\n") { "1\n" } else { "0\n" };
    std::fs::write(folder.path().join("log.csv"), format!("{}{other}", &text[..text.len() - 2])).unwrap();
    let refused = run(folder.path(), &["replay", "job.toml", "--out", "out", "--resume"]);
    assert!(
        refused.code == Some(2) && refused.err.contains("ledger") && refused.err.contains("other values"),
        "{}",
        refused.err
    );
    let refused =
        run(folder.path(), &["replay", "job.toml", "--out", "out", "--resume", "--set", "schedule.online.rows=8"]);
    assert!(refused.code == Some(2) && refused.err.contains("rows = 8"), "{}", refused.err);
}

#[test]
fn incremental_is_near_full_at_a_tenth_of_its_rows() {
    let folder = folder(&log(30, 600, 0.1, &[]), "[schedule.incremental]\n[schedule.full]\n");
    let summary = replayed(folder.path(), "out", &[]);
    let (incremental, full) = (&summary.replay["incremental"], &summary.replay["full"]);
    let loss = |way: &burnrec_record::Way| way.get("click", "logloss").unwrap();
    assert!(loss(incremental) < 1.01 * loss(full), "{summary:?}");
    assert!(10 * incremental.0["rows"].as_u64().unwrap() <= full.0["rows"].as_u64().unwrap(), "{summary:?}");
}

#[test]
fn replayed_rows_soften_what_a_day_of_wrong_labels_does() {
    let folder = folder(&log(8, 1000, 0.0, &[6]), "start = 0.7\n[schedule.incremental]\nepochs = 5\n");
    let after = |out: &str, replay: &str| {
        replayed(folder.path(), out, &["--set", replay]);
        let windows = lines(&folder.path().join(out).join("windows.jsonl"));
        windows.last().unwrap()["metrics"]["logloss"].as_f64().unwrap()
    };
    let (without, with) =
        (after("a", "schedule.incremental.replay=0.0"), after("b", "schedule.incremental.replay=0.5"));
    assert!(with < without - 0.02, "{with} {without}");
    // So do labels that are partly what the model of before predicts.
    let taught = after("c", "schedule.incremental.distil=0.5");
    assert!(taught < without - 0.02, "{taught} {without}");
}

#[test]
fn bad_schedules_and_logs_are_told_with_their_place() {
    let folder = folder(&log(4, 20, 1.0, &[]), "[schedule.incremental]\n");
    let refused = |more: &[&str], says: &[&str]| {
        let told = run(folder.path(), &[&["replay", "job.toml", "--out", "out"][..], more].concat());
        assert!(told.code == Some(2) && says.iter().all(|s| told.err.contains(s)), "{more:?}: {}", told.err);
        assert!(!folder.path().join("out").exists());
    };
    refused(&["--set", "schedule.window=3days"], &["schedule", "1d"]);
    refused(&["--set", "schedule.start=1.0"], &["schedule.start"]);
    refused(&["--set", "schedule.start=\"soon\""], &["schedule.start", "2024-03-01"]);
    refused(&["--set", "schedule.start=0.01"], &["schedule.start", "nothing to start from"]);
    refused(&["--set", "schedule.incremental.replay=1.0"], &["replay"]);
    refused(&["--set", "schedule.time=when"], &["no column `when`"]);
    refused(&["--set", "train.refit=true"], &["train.refit"]);
    refused(&["--set", "data.split={ kind = \"order\", valid = 0.1, test = 0.1 }"], &["data.split"]);
    refused(&["--only", "full"], &["--only full", "incremental"]);
    let text = std::fs::read_to_string(folder.path().join("log.csv")).unwrap();
    let with = |line: &str| std::fs::write(folder.path().join("log.csv"), format!("{text}{line}\n")).unwrap();
    with("u1,i1,,1");
    refused(&[], &["log.csv:82", "time", "is missing"]);
    with("u1,i1,4102444800,1");
    refused(&[], &["log.csv:82", "ahead of this machine's clock"]);
    with("u1,i1,1600100000,7");
    refused(&[], &["log.csv:82", "y"]);
    // One class in a window is no error: what is undefined there is said.
    let one: String = text
        .lines()
        .map(|l| {
            if l.contains(&format!(",{}", (1_600_000_000 / DAY + 3) * DAY / 100_000)) {
                format!("{}0\n", &l[..l.len() - 1])
            } else {
                format!("{l}\n")
            }
        })
        .collect();
    std::fs::write(folder.path().join("log.csv"), one).unwrap();
    run_ok(folder.path(), &["replay", "job.toml", "--out", "one"]);
}

#[test]
fn the_seldomer_a_copy_is_synchronised_the_worse_it_predicts() {
    let folder = folder(
        &log(24, 300, 1.5, &[]),
        "start = 0.25\n[schedule.online]\nrows = 8\nsync = [\"1h\", \"1d\", \"3d\", \"9d\"]\n",
    );
    let summary = replayed(folder.path(), "out", &[]);
    let auc = |way: &str| summary.replay[way].get("click", "auc").unwrap();
    let all: Vec<f64> = ["online", "online_1h", "online_1d", "online_3d", "online_9d"].into_iter().map(auc).collect();
    assert!((all[0] - all[1]).abs() < 0.01 && all[1..].windows(2).all(|w| w[0] > w[1]), "{all:?}");
    // All learn from the same rows.
    let cost = |way: &str| summary.replay[way].0["rows"].as_u64().unwrap();
    assert!(["online", "online_1h", "online_1d", "online_3d", "online_9d"].iter().all(|way| cost(way) == 5400));
}

#[test]
fn what_rests_in_the_rounds_is_the_first_stretchs_to_the_bit() {
    let folder = folder(&log(8, 200, 1.0, &[]), "[schedule.incremental]\ndense = []\n");
    let job = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    std::fs::write(folder.path().join("job.toml"), job.replace("[model.lr]", "[model.fm]")).unwrap();
    replayed(folder.path(), "slow", &["--set", "schedule.incremental.lookups=[\"linear\"]"]);
    let file = |way: &str, name: &str| {
        let all = burnrec_tests::weights(&folder.path().join("slow").join(way));
        all.into_iter().find(|f| f.0.contains(name)).unwrap().1
    };
    let same = |name: &str| file("start", name) == file("incremental", name);
    assert!(same("dense.safetensors") && !same("linear-0"));
    let refused =
        run(folder.path(), &["replay", "job.toml", "--out", "x", "--set", "schedule.incremental.lookups=[\"none\"]"]);
    assert!(refused.code == Some(2) && refused.err.contains("none"), "{}", refused.err);
}

#[test]
fn sums_that_decay_follow_a_truth_that_moves() {
    let folder = folder(&log(40, 300, 1.5, &[]), "start = 0.25\n[schedule.incremental]\n");
    let auc = |out: &str, decay: &str| {
        let summary = replayed(folder.path(), out, &["--set", decay]);
        summary.replay["incremental"].get("click", "auc").unwrap()
    };
    let (kept, decayed) = (auc("a", "schedule.incremental.decay=1.0"), auc("b", "schedule.incremental.decay=0.5"));
    assert!(decayed > kept + 0.003, "{decayed} {kept}");
    let refused = run(folder.path(), &["replay", "job.toml", "--out", "x", "--set", "schedule.incremental.decay=0.0"]);
    assert!(refused.code == Some(2) && refused.err.contains("decay"), "{}", refused.err);
    // Sums that would not decay are told of.
    let sets = ["--set", "schedule.incremental.decay=0.5", "--set", "train.optimizer={ kind = \"adagrad\" }"];
    let refused = run(folder.path(), &[&["check", "job.toml"][..], &sets].concat());
    assert!(refused.code == Some(2) && refused.err.contains("dense weights"), "{}", refused.err);
}
