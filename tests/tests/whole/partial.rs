//! Parts of a model with a clock of their own: a calibration behind weights that rest, tables that learn in some rounds only.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use burnrec_record::ReplaySummary;
use burnrec_tests::{assert_same_weights, command, run, run_ok};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::schedules::{folder, lines, log};

const DAY: u64 = 86_400;

/// Items keep their order, but what their odds are worth, and the base rate, move from day to day.
fn moving_rate(days: usize, rows: usize) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(31);
    let mut text = String::from("user,item,time,y\n");
    for day in 0..days {
        let (scale, shift) = if day < days / 2 { (1.0, 0.0) } else { (0.4, -1.5) };
        for row in 0..rows {
            let item = rng.random_range(0..30usize);
            let odds = scale * (item as f64 - 15.0) / 5.0 + shift;
            let y = u8::from(rng.random::<f64>() < 1.0 / (1.0 + (-odds).exp()));
            let time = 1_600_000_000 / DAY * DAY + day as u64 * DAY + row as u64 * DAY / rows as u64;
            writeln!(text, "u{},i{item},{time},{y}", row % 40).unwrap();
        }
    }
    text
}

fn replayed(folder: &Path, out: &str, more: &[&str]) -> ReplaySummary {
    run_ok(folder, &[&["replay", "job.toml", "--out", out][..], more].concat());
    serde_json::from_str(&std::fs::read_to_string(folder.join(out).join("summary.json")).unwrap()).unwrap()
}

#[test]
fn a_calibration_mends_the_rate_and_leaves_weights_and_order_alone() {
    let folder = folder(&moving_rate(10, 600), "[schedule.stale]\n[schedule.calibrated]\nprior = 100.0\n");
    for kind in ["platt", "isotonic"] {
        let set = format!("schedule.calibrated.kind=\"{kind}\"");
        let summary = replayed(folder.path(), kind, &["--set", &set]);
        let of = |way: &str, name: &str| summary.replay[way].get("click", name).unwrap();
        assert!(of("calibrated", "logloss") < of("stale", "logloss") - 0.03, "{kind}: {summary:?}");
        assert!(
            (of("calibrated", "pcoc") - 1.0).abs() < (of("stale", "pcoc") - 1.0).abs() / 2.0,
            "{kind}: {summary:?}"
        );
        // The first window is predicted before anything is fitted; a line leaves the order within each.
        let windows = lines(&folder.path().join(kind).join("windows.jsonl"));
        let auc = |way: &str| -> Vec<f64> {
            let own = windows.iter().filter(|w| w["schedule"] == way);
            own.map(|w| w["metrics"]["auc"].as_f64().unwrap()).collect()
        };
        let (stale, own) = (auc("stale"), auc("calibrated"));
        assert!(stale.len() == 5 && stale[0] == own[0] && (kind == "isotonic" || stale == own), "{stale:?} {own:?}");
        assert_same_weights(&folder.path().join(kind).join("stale"), &folder.path().join(kind).join("calibrated"));
        // Who predicts by the run predicts by its calibration, and who trains on from it does not.
        let mean = |way: &str| {
            let run = format!("{kind}/{way}");
            run_ok(folder.path(), &["predict", &run, "--input", "log.csv", "--output", "p.csv"]);
            let text = std::fs::read_to_string(folder.path().join("p.csv")).unwrap();
            let all: Vec<f64> = text.lines().skip(1).map(|l| l.rsplit(',').next().unwrap().parse().unwrap()).collect();
            all.iter().sum::<f64>() / all.len() as f64
        };
        let (stale, own) = (mean("stale"), mean("calibrated"));
        assert!((stale - 0.5).abs() < 0.03 && own < 0.3, "{stale} {own}");
    }
    let ledger = std::fs::read_to_string(folder.path().join("platt/calibrated/ledger.jsonl")).unwrap();
    assert_eq!(ledger.matches("\"what\":\"calibrate\"").count(), 5);
    // Learning goes on from the weights, without the curve.
    std::fs::write(
        folder.path().join("none.jsonl"),
        "{\"user\": \"u1\", \"item\": \"i1\", \"time\": 1600000000, \"y\": 1}\n",
    )
    .unwrap();
    run_ok(folder.path(), &["online", "platt/calibrated", "--input", "none.jsonl", "--out", "on"]);
    let curves = |run: &str| {
        let folder = folder.path().join(run).join("checkpoints");
        let all = std::fs::read_dir(folder).unwrap().flatten().filter(|e| e.path().is_dir());
        let mut names: Vec<_> = all.map(|e| e.path().join("encoder.toml")).collect();
        names.sort();
        std::fs::read_to_string(names.last().unwrap()).unwrap().contains("curves")
    };
    assert!(curves("platt/calibrated") && !curves("on"));
    for (set, says) in [("schedule.calibrated.kind=\"beta\"", "isotonic"), ("schedule.calibrated.prior=-1.0", "prior")]
    {
        let refused = run(folder.path(), &["check", "job.toml", "--set", set]);
        assert!(refused.code == Some(2) && refused.err.contains(says), "{}", refused.err);
    }
}

#[test]
fn a_calibration_that_is_killed_goes_on_with_the_same_bits() {
    let folder = folder(&moving_rate(30, 300), "[schedule.calibrated]\nkind = \"isotonic\"\n");
    let whole = replayed(folder.path(), "whole", &[]);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..8 {
        let mut child = command(folder.path(), &["replay", "job.toml", "--out", "out", "--resume"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(rng.random_range(30..400)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let resumed = replayed(folder.path(), "out", &["--resume"]);
    let loss = |summary: &ReplaySummary| summary.replay["calibrated"].0["logloss"].clone();
    assert_eq!(loss(&whole), loss(&resumed));
    let judged = |out: &str| std::fs::read(folder.path().join(out).join("calibrated/judged.bin")).unwrap();
    assert!(judged("whole") == judged("out"));
}

#[test]
fn a_part_with_a_period_rests_to_the_bit_between_its_rounds() {
    let folder = folder(&log(10, 200, 1.0, &[]), "start = 0.7\n[schedule.incremental]\n");
    let job = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    std::fs::write(folder.path().join("job.toml"), job.replace("[model.lr]", "[model.fm]")).unwrap();
    let file = |out: &str, way: &str, name: &str| {
        let all = burnrec_tests::weights(&folder.path().join(out).join(way));
        all.into_iter().find(|f| f.0.contains(name)).unwrap().1
    };
    // Three rounds: a part that learns in every fourth one has rested, one of every third has learned once.
    for (every, rests) in [(4, true), (3, false)] {
        let out = format!("every{every}");
        let set = format!("schedule.incremental.every={{ linear = {every} }}");
        replayed(folder.path(), &out, &["--set", &set]);
        assert_eq!(file(&out, "start", "linear-0") == file(&out, "incremental", "linear-0"), rests, "{every}");
        assert_ne!(file(&out, "start", "dense"), file(&out, "incremental", "dense"));
    }
    for (set, says) in [
        ("schedule.incremental.every={ linear = 0 }", "from 1"),
        ("schedule.incremental.every={ nothing = 2 }", "`nothing`"),
    ] {
        let refused = run(folder.path(), &["replay", "job.toml", "--out", "x", "--set", set]);
        assert!(refused.code == Some(2) && refused.err.contains(says), "{}", refused.err);
        assert!(!folder.path().join("x").exists());
        let told = run(folder.path(), &["check", "job.toml", "--set", set]);
        assert!(told.code == Some(2) && told.err.contains(says), "{}", told.err);
    }
}

/// A log where only trees see what decides: two numbers of one sign, whose meaning turns round half-way.
fn turning(days: usize, rows: usize) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(77);
    let mut text = String::from("a,b,shop,time,y\n");
    for day in 0..days {
        for row in 0..rows {
            let (a, b) = (rng.random_range(-1.0..1.0f64), rng.random_range(-1.0..1.0f64));
            let likely = (a * b > 0.0) != (day >= days / 2);
            let y = u8::from(rng.random::<f64>() < if likely { 0.85 } else { 0.15 });
            let time = 1_600_000_000 / DAY * DAY + day as u64 * DAY + row as u64 * DAY / rows as u64;
            writeln!(text, "{a:.4},{b:.4},s{},{time},{y}", row % 5).unwrap();
        }
    }
    text
}

#[test]
fn trees_grow_anew_from_time_to_time_under_weights_that_learn_all_the_time() {
    let folder = folder(
        &turning(12, 400),
        "[schedule.stale]\n[schedule.incremental]\n[schedule.online]\nrows = 4\n[schedule.combined]\nrounds = 2\nbetween = \"online\"\n[schedule.full]\nhistory = \"2d\"\n",
    );
    let job = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    let job = job
        .replace(
            "user = \"categorical\"\nitem = \"categorical\"",
            "a = \"numeric\"\nb = \"numeric\"\nshop = \"categorical\"\n[features.trees]\ntrees = 30\ndepth = 3",
        )
        .replace("[model.lr]", "[model.gbdt_lr]");
    std::fs::write(folder.path().join("job.toml"), &job).unwrap();
    let summary = replayed(folder.path(), "out", &[]);
    let auc = |way: &str| summary.replay[way].get("click", "auc").unwrap();
    // What the first trees cut stays useful, for the same leaves mean the other thing: the weights above follow.
    assert!(auc("stale") < 0.3 && auc("online") > 0.7 && auc("combined") > 0.7, "{summary:?}");
    // Every row of a later window is learned from: no tree was grown on it.
    assert_eq!(summary.replay["online"].0["rows"].as_u64(), Some(6 * 400));
    let learned = |way: &str| lines(&folder.path().join("out").join(way).join("ledger.jsonl"));
    let rows = |entry: &serde_json::Value| entry["rows_learned"].as_u64().unwrap();
    let online = learned("online");
    assert_eq!(rows(&online[1]) - rows(&online[0]), 400);
    // Trees that were grown later stand beside the first; those that no checkpoint named when others were grown are gone.
    let trees = |way: &str| {
        let all = std::fs::read_dir(folder.path().join("out").join(way)).unwrap().flatten();
        all.filter(|e| e.file_name().to_string_lossy().starts_with("trees")).count()
    };
    assert_eq!((trees("online"), trees("combined"), trees("full")), (1, 3, 3));
    run_ok(folder.path(), &["predict", "out/combined", "--input", "log.csv", "--output", "p.csv"]);
    // Killed and gone on with, it is the same.
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for _ in 0..6 {
        let mut child = command(folder.path(), &["replay", "job.toml", "--out", "killed", "--resume"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(rng.random_range(50..900)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    replayed(folder.path(), "killed", &["--resume"]);
    for way in ["online", "combined", "full"] {
        assert_same_weights(&folder.path().join("out").join(way), &folder.path().join("killed").join(way));
    }
    // A serving copy has the trees; a stream is learned from whole.
    assert!(run_ok(folder.path(), &["export", "out/combined", "--deltas", "serve"]).out.contains("export 0"));
    assert!(folder.path().join("serve/000000-full/trees.json").is_file());
    run_ok(folder.path(), &["apply", "serve", "--to", "copy"]);
    assert!(folder.path().join("copy/state/trees.json").is_file());
    let events: String = (0..64)
        .map(|n| {
            format!(
                "{{\"a\": 0.{n}, \"b\": -0.5, \"shop\": \"s1\", \"time\": {}, \"y\": {}}}\n",
                1_600_000_000 + n,
                n % 2
            )
        })
        .collect();
    std::fs::write(folder.path().join("more.jsonl"), events).unwrap();
    let told = run_ok(folder.path(), &["online", "out/combined", "--input", "more.jsonl", "--out", "on"]);
    assert!(told.out.contains("64 events"), "{}", told.out);
    for (set, says) in
        [("schedule.incremental.replay=0.2", "trees were grown on"), ("schedule.combined.rounds=0", "rounds")]
    {
        let refused = run(folder.path(), &["check", "job.toml", "--set", set]);
        assert!(refused.code == Some(2) && refused.err.contains(says), "{}", refused.err);
    }
}

#[test]
fn a_window_of_one_class_is_no_dead_end_for_trainings_from_scratch() {
    let mut text = turning(8, 200);
    // The sixth day has negatives alone.
    let lines: Vec<String> = text.lines().map(str::to_string).collect();
    text =
        lines
            .iter()
            .enumerate()
            .map(|(n, line)| {
                if (1001..=1200).contains(&n) { format!("{}0\n", &line[..line.len() - 1]) } else { format!("{line}\n") }
            })
            .collect();
    let folder = folder(
        &text,
        "start = 0.5\n[schedule.full]\nhistory = \"1d\"\n[schedule.online]\nrows = 4\n[schedule.combined]\nrounds = 1\nbetween = \"online\"\n",
    );
    let job = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    let job = job.replace("user = \"categorical\"\nitem = \"categorical\"", "a = \"numeric\"\nb = \"numeric\"\n");
    std::fs::write(folder.path().join("job.toml"), &job).unwrap();
    run_ok(folder.path(), &["replay", "job.toml", "--out", "lr"]);
    let trees = job
        .replace("b = \"numeric\"\n", "b = \"numeric\"\n[features.trees]\ntrees = 5\n")
        .replace("[model.lr]", "[model.gbdt_lr]");
    std::fs::write(folder.path().join("job.toml"), trees).unwrap();
    let told = run_ok(folder.path(), &["replay", "job.toml", "--out", "trees"]);
    assert!(told.err.contains("no training from scratch"), "{}", told.err);
    let again = run_ok(folder.path(), &["replay", "job.toml", "--out", "trees", "--resume"]);
    assert!(again.out.contains("completed"));
}

#[test]
fn scales_are_fitted_anew_only_where_it_is_asked_for() {
    let mut rng = ChaCha8Rng::seed_from_u64(15);
    let mut text = String::from("x,time,y\n");
    for day in 0..8u64 {
        for row in 0..300u64 {
            let z: f64 = rng.random_range(-2.0..2.0);
            let y = u8::from(rng.random::<f64>() < 1.0 / (1.0 + (-1.5 * z).exp()));
            // From the fifth day on another unit.
            let x = if day < 4 { z } else { 1000.0 * z + 5000.0 };
            let time = 1_600_000_000 / DAY * DAY + day * DAY + row * DAY / 300;
            writeln!(text, "{x:.4},{time},{y}").unwrap();
        }
    }
    let folder = folder(&text, "start = 0.5\n[schedule.incremental]\n");
    let job = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    let job = job.replace("user = \"categorical\"\nitem = \"categorical\"", "x = \"numeric\"");
    std::fs::write(folder.path().join("job.toml"), job).unwrap();
    let loss = |out: &str, refit: bool| {
        let set = format!("schedule.incremental.refit={refit}");
        replayed(folder.path(), out, &["--set", &set]).replay["incremental"].get("click", "logloss").unwrap()
    };
    // The first day in the new unit is predicted by the old scale either way.
    let windows = |out: &str| lines(&folder.path().join(out).join("windows.jsonl"));
    let (kept, anew) = (loss("kept", false), loss("anew", true));
    let last = |out: &str| windows(out).last().unwrap()["metrics"]["logloss"].as_f64().unwrap();
    assert!(
        anew < kept && last("anew") < 0.69 && last("kept") > 1.0,
        "{kept} {anew} {} {}",
        last("kept"),
        last("anew")
    );
}
