//! Scores of several runs joined to one.

use std::fmt::Write as _;
use std::path::Path;

use burnrec_tests::{run, run_ok};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Clicks that hang on users and items, purchases of what was clicked that hang on the item in another way.
fn log(rows: usize, seed: u64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut text = String::from("user,item,clicked,bought\n");
    for _ in 0..rows {
        let (user, item) = (rng.random_range(0..40u32), rng.random_range(0..60u32));
        let chance = |z: f64| 1.0 / (1.0 + (-z).exp());
        let clicked = rng.random::<f64>() < chance(f64::from(user % 4) - f64::from(item % 3) - 0.5);
        let bought = clicked && rng.random::<f64>() < chance(f64::from(item / 3 % 5) - 2.0);
        writeln!(text, "u{user},i{item},{},{}", u8::from(clicked), u8::from(bought)).unwrap();
    }
    text
}

fn config(label: &str, space: &str) -> String {
    format!(
        "[data]\nsource = \"log.csv\"\nsplit = {{ kind = \"random\", valid = 0.2, test = 0.2 }}\n[backend]\ndevice = \"flex\"\n\
         [features]\ngroup = \"user\"\n[features.fields]\nuser = \"categorical\"\nitem = \"categorical\"\n\
         [tasks.it]\nlabel = \"{label}\"\n{space}\n[model.lr]\n[train]\nepochs = 5\n"
    )
}

const FUSION: &str = "[fuse]\nmethod = \"product\"\ntarget = \"buy\"\nmetric = \"auc\"\ntune = { trials = 60 }\n\
                      [fuse.scores.click]\nrun = \"click\"\n[fuse.scores.convert]\nrun = \"convert\"\n[fuse.scores.buy]\nrun = \"buy\"\nweight = 0.001\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("log.csv"), log(8000, 1)).unwrap();
    std::fs::write(at("new.csv"), log(50, 2)).unwrap();
    for (name, label, space) in
        [("click", "clicked", ""), ("buy", "bought", ""), ("convert", "bought", "where = \"clicked == 1\"")]
    {
        std::fs::write(at("job.toml"), config(label, space)).unwrap();
        run_ok(folder.path(), &["train", "job.toml", "--out", name]);
    }
    std::fs::write(at("fuse.toml"), FUSION).unwrap();
    folder
}

fn fused(folder: &Path, more: &[&str]) -> serde_json::Value {
    let out = run_ok(folder, &[&["fuse", "fuse.toml", "--json"], more].concat()).out;
    serde_json::from_str(&out).unwrap()
}

#[test]
fn clicks_times_conversions_rank_purchases_better_than_either() {
    let folder = folder();
    run_ok(folder.path(), &["check", "fuse.toml"]);
    let plain = ["--set", "fuse.scores.buy.weight=0.0001"];
    let found = fused(folder.path(), &plain);
    let test = |name: &str| found["alone"][name]["test"].as_f64().unwrap();
    let joined = found["test"].as_f64().unwrap();
    assert!(joined > test("click") + 0.02 && joined > test("convert") + 0.02, "{found:#}");
    // A search never ends below what it started from.
    let mut text = FUSION.replace("tune = { trials = 60 }\n", "");
    std::fs::write(folder.path().join("fuse.toml"), &text).unwrap();
    let given = fused(folder.path(), &plain);
    assert!(found["valid"].as_f64() >= given["valid"].as_f64());
    assert_eq!(found, {
        std::fs::write(folder.path().join("fuse.toml"), FUSION).unwrap();
        fused(folder.path(), &plain)
    });
    // An expected value, and other rows beside their scores.
    text = text
        .replace("product", "formula")
        .replace("weight = 0.001\n", "")
        .replace("metric", "formula = \"click * (1 + 4 * convert) + 0 * buy\"\nmetric");
    std::fs::write(folder.path().join("fuse.toml"), &text).unwrap();
    assert!(fused(folder.path(), &["--input", "new.csv", "--output", "out.csv"])["test"].as_f64().unwrap() > 0.5);
    let out = std::fs::read_to_string(folder.path().join("out.csv")).unwrap();
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("user,item,clicked,bought,buy,click,convert,fused"));
    assert_eq!(out.lines().count(), 51);
    for line in lines {
        let cells: Vec<f64> = line.split(',').skip(4).map(|cell| cell.parse().unwrap()).collect();
        assert!((cells[3] - cells[1] * (1.0 + 4.0 * cells[2])).abs() < 1e-6, "{line}");
    }
}

#[test]
fn what_cannot_be_joined_is_refused_with_its_place() {
    let folder = folder();
    let other = config("bought", "").replace("valid = 0.2", "valid = 0.1");
    std::fs::write(folder.path().join("job.toml"), other).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "other"]);
    for (set, says) in [
        ("fuse.scores.buy.run=other", "other rows"),
        ("fuse.scores.buy.run=nothing", "nothing"),
        ("fuse.scores.buy.task=like", "it"),
        ("fuse.target=like", "target"),
        ("fuse.metric=logloss", "ranking"),
        ("fuse.metric=best", "no metric"),
        ("fuse.method=sum", "unknown variant"),
        ("fuse.formula=click", "formula"),
        ("fuse.offset=-1.0", "offset"),
        ("fuse.tune.trials=0", "trials"),
        (
            "fuse={method=\"formula\",formula=\"0/0*click+buy\",target=\"buy\",metric=\"auc\",scores={click={run=\"click\"},buy={run=\"buy\"}}}",
            "NaN",
        ),
        (
            "fuse={method=\"formula\",formula=\"click\",target=\"buy\",metric=\"auc\",scores={click={run=\"click\"},buy={run=\"buy\"}}}",
            "does not name score `buy`",
        ),
        ("fuse.scores.buy.weight=inf", "weight"),
    ] {
        let outcome = run(folder.path(), &["fuse", "fuse.toml", "--set", set]);
        assert!(matches!(outcome.code, Some(1 | 2)), "{set}: {:?}\n{}", outcome.code, outcome.err);
        assert!(outcome.err.contains(says), "{set}: no `{says}` in: {}", outcome.err);
    }
    let before = std::fs::read(folder.path().join("new.csv")).unwrap();
    let onto = run(folder.path(), &["fuse", "fuse.toml", "--input", "new.csv", "--output", "new.csv"]);
    assert!(onto.code == Some(2) && onto.err.contains("never written"), "{}", onto.err);
    assert_eq!(before, std::fs::read(folder.path().join("new.csv")).unwrap());
    let train = run(folder.path(), &["train", "fuse.toml"]);
    assert!(train.code == Some(2) && train.err.contains("burnrec fuse"), "{}", train.err);
    // Rows that are others than the runs learned from.
    std::fs::write(folder.path().join("log.csv"), log(8000, 9)).unwrap();
    let changed = run(folder.path(), &["fuse", "fuse.toml"]);
    assert!(changed.code == Some(2) && changed.err.contains("not those that were there"), "{}", changed.err);
}

#[test]
fn ranks_of_other_rows_are_within_the_groups_of_the_run() {
    let folder = folder();
    let named = FUSION.replace("[fuse.scores.click]", "[fuse.scores.fused]");
    std::fs::write(folder.path().join("fuse.toml"), named).unwrap();
    let refused = run(folder.path(), &["fuse", "fuse.toml"]);
    assert!(refused.code == Some(2) && refused.err.contains("take another"), "{}", refused.err);
    let text = FUSION
        .replace("product", "rank")
        .replace("tune = { trials = 60 }\n", "")
        .replace("metric = \"auc\"", "metric = \"gauc\"");
    std::fs::write(folder.path().join("fuse.toml"), text.replace("weight = 0.001\n", "")).unwrap();
    run_ok(folder.path(), &["fuse", "fuse.toml", "--input", "new.csv", "--output", "out.csv"]);
    let out = std::fs::read_to_string(folder.path().join("out.csv")).unwrap();
    let rows: Vec<Vec<&str>> = out.lines().skip(1).map(|line| line.split(',').collect()).collect();
    for row in &rows {
        let score = |row: &Vec<&str>, at: usize| row[at].parse::<f64>().unwrap();
        let rank = |at: usize| {
            let own = rows.iter().filter(|other| other[0] == row[0]);
            let (above, same) = own.fold((0.0, 0.0), |(above, same), other| {
                let (a, b) = (score(other, at), score(row, at));
                (above + f64::from(u8::from(a > b)), same + f64::from(u8::from(a == b)))
            });
            above + (same + 1.0) / 2.0
        };
        let expected: f64 = (4..7).map(|at| 1.0 / (60.0 + rank(at))).sum();
        assert!((score(row, 7) - expected).abs() < 1e-9, "{row:?} {expected}");
    }
}
