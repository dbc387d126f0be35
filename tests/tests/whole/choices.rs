//! Agents on logged bandit data: what they are worth, and what is refused.

use std::path::Path;

use burnrec_tests::{run, run_ok};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::TempDir;

use crate::simulate::read;

/// A log of single choices by chance: each kind of reader clicks on its own kind of item, and the first items are chosen most.
fn choices(folder: &Path, hours: u32) {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut text = String::from("time,user,item,kind,mu,clicked\n");
    for second in (0..hours * 3_600).step_by(15) {
        let (user, draw) = (rng.random_range(0..40u32), rng.random_range(0..12u32));
        // Items 0 to 3 two times in three, 4 to 7 else.
        let item = if draw < 8 { draw % 4 } else { 4 + draw % 4 };
        let mu = if item < 4 { 1.0 / 6.0 } else { 1.0 / 12.0 };
        let rate = if item % 4 == user % 4 { 0.5 } else { 0.05 } + if item < 4 { 0.0 } else { 0.2 };
        let clicked = u8::from(rng.random::<f64>() < rate);
        text += &format!("{second},u{user},i{item},k{},{mu},{clicked}\n", item % 4);
    }
    std::fs::write(folder.join("choices.csv"), text).unwrap();
}

/// The log whose propensities are all 1.
fn certain(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("choices.csv")).unwrap();
    let line = |line: &str| {
        let mut cells: Vec<&str> = line.split(',').collect();
        cells[4] = if cells[4] == "mu" { "mu" } else { "1" };
        cells.join(",") + "\n"
    };
    text.lines().map(line).collect()
}

const BANDIT: &str = r#"
[environment.bandit]
user = "user"
item = "item"
time = "time"
click = "clicked"
propensity = "mu"
item_columns = ["kind"]

[data]
source = "choices.csv"

[simulate]
seeds = 1
places = 1
warmup_hours = 12.0
hours = 24.0

[features.fields]
user = "categorical"
item = "categorical"
kind = "categorical"

[train]
batch_size = 64
epochs = 20
sparse = { learning_rate = 0.02 }

[agents.random]
policy = "random"

[agents.fm]
model = { fm = { embedding_dim = 4 } }
learn = { minor = "none", major = "none" }
"#;

/// The log and its simulation.
fn job() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    choices(folder.path(), 36);
    std::fs::write(folder.path().join("bandit.toml"), BANDIT).unwrap();
    folder
}

/// The agent by chance alone, with more settings.
fn by_chance(folder: &Path, out: &str, more: &[&str]) -> String {
    let sets = more.iter().flat_map(|set| ["--set", *set]);
    let arguments = ["simulate", "bandit.toml", "--only", "random", "--out", out].into_iter().chain(sets);
    run_ok(folder, &arguments.collect::<Vec<_>>()).err
}

fn mean(folder: &Path, out: &str, agent: &str, measure: &str) -> f64 {
    let summary = read(&folder.join(out).join("summary.json"));
    summary["agents"][agent]["measures"][measure]["mean"].as_f64().unwrap()
}

#[test]
fn on_logged_choices_an_agent_is_worth_what_its_own_choices_earned_by_their_propensities() {
    let folder = job();
    let told = run_ok(folder.path(), &["check", "bandit.toml"]).out;
    assert!(told.contains("  bandit  ") && told.contains("12 as logged, then 24"), "{told}");
    let table = run_ok(folder.path(), &["simulate", "bandit.toml", "--out", "out"]).out;
    assert!(table.contains("snips") && table.contains("matched"), "{table}");
    let of = |agent: &str, measure: &str| mean(folder.path(), "out", agent, measure);
    // Chance earns .2625; the item of the reader's own kind among the later ones .7. What matched alone says another thing.
    assert!((of("random", "snips") - 0.2625).abs() < 0.06, "{}", of("random", "snips"));
    assert!((of("fm", "snips") - 0.7).abs() < 0.1, "{}", of("fm", "snips"));
    assert!((of("fm", "ips") - 0.7).abs() < 0.15 && of("fm", "matched") < 0.2);
    assert!((of("random", "mean_weight") - 1.0).abs() < 0.1, "{}", of("random", "mean_weight"));
    let hours = std::fs::read_to_string(folder.path().join("out/hours.jsonl")).unwrap();
    let hours: Vec<Value> = hours.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sum =
        |key: &str| -> f64 { hours.iter().filter(|h| h["agent"] == "fm").map(|h| h[key].as_f64().unwrap()).sum() };
    assert!((sum("weighed_clicks") / sum("weights") - of("fm", "snips")).abs() < 1e-9, "hours add up");
    assert!(hours.iter().all(|hour| hour["ndcg"].is_null()), "of one choice there is no order");
}

#[test]
fn what_is_known_late_or_of_nothing_counts_too() {
    let folder = job();
    let folder = folder.path();
    by_chance(folder, "soon", &[]);
    // However late clicks are known, they are known in the end.
    by_chance(folder, "late", &["environment.bandit.delay_seconds=90000"]);
    for measure in ["matched", "ips", "snips"] {
        assert_eq!(mean(folder, "late", "random", measure), mean(folder, "soon", "random", measure), "{measure}");
    }
    // An hour of little has seeds in which nothing matches.
    by_chance(folder, "short", &["simulate.hours=0.01", "simulate.seeds=5"]);
    let matched = |seed: u64| {
        let hour = read(&folder.join(format!("short/seed-{seed}/random/hours.json")))["hours"][0].clone();
        hour["weighed"]["lists"].as_f64().unwrap() / hour["lists"].as_f64().unwrap()
    };
    let matched: Vec<f64> = (1..=5).map(matched).collect();
    assert!(matched.contains(&0.0), "{matched:?}");
    let found = mean(folder, "short", "random", "matched");
    assert!((found - matched.iter().sum::<f64>() / 5.0).abs() < 1e-9, "{found} of {matched:?}");
    std::fs::write(folder.join("certain.csv"), certain(folder)).unwrap();
    let told = by_chance(folder, "wrong", &["data.source=certain.csv"]);
    assert!(told.contains("the mean weight is 0.1"), "{told}");
}

#[test]
fn settings_and_rows_that_cannot_be_are_refused() {
    let folder = job();
    let refused = |set: &str, words: &str| {
        let told = run(folder.path(), &["check", "bandit.toml", "--set", set]);
        assert!(told.code == Some(2) && told.err.contains(words), "{set}: {}", told.err);
    };
    refused("simulate.places=3", "simulate.places");
    refused("features.fields.mu=\"numeric\"", "reads the propensity");
    refused("environment.bandit.item_columns=[\"mu\"]", "which is of the request");
    refused("data.history={user=\"user\",time=\"time\",columns={past=\"clicked\"}}", "data.history");
    refused("agents.oracle={policy=\"oracle\"}", "nobody knows the truth of a log");
    let text = std::fs::read_to_string(folder.path().join("choices.csv")).unwrap();
    std::fs::write(folder.path().join("choices.csv"), text.replacen(",0.16", ",1.16", 1)).unwrap();
    let bad = run(folder.path(), &["simulate", "bandit.toml", "--out", "bad"]);
    assert!(bad.code == Some(2) && bad.err.contains("at most 1") && !folder.path().join("bad").exists(), "{}", bad.err);
}
