//! Off-policy evaluation from files.

use burnrec_tests::{run, run_ok};
use serde_json::Value;

const LOG: &str = "action,reward,mu,pi,place\na,1,0.25,0.5,1\nb,0,0.4,0.2,1\nc,1,0.8,0.8,1\n";
const FILE: &str =
    "[data]\nsource = \"log.csv\"\n[ope]\naction = \"action\"\nreward = \"reward\"\npropensity = \"mu\"\n";

fn folder(log: &str, more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), log).unwrap();
    std::fs::write(folder.path().join("ope.toml"), format!("{FILE}{more}")).unwrap();
    folder
}

fn value(found: &Value, estimator: &str) -> f64 {
    let all = found["estimates"].as_array().unwrap();
    let own = all.iter().find(|e| e["estimator"] == estimator).unwrap_or_else(|| panic!("no {estimator} in {found}"));
    own["value"].as_f64().unwrap()
}

#[test]
fn a_log_is_evaluated_as_by_hand() {
    let folder = folder(LOG, "[ope.policy]\ncolumn = \"pi\"\n");
    run_ok(folder.path(), &["check", "ope.toml"]);
    let found: Value = serde_json::from_str(&run_ok(folder.path(), &["ope", "ope.toml", "--json"]).out).unwrap();
    assert!((value(&found, "ips") - 1.0).abs() < 1e-12);
    assert!((value(&found, "snips") - 0.857_142_857).abs() < 1e-9);
    assert!((found["effective_rows"].as_f64().unwrap() - 7.0 / 3.0).abs() < 1e-9);
    let shown = run_ok(folder.path(), &["ope", "ope.toml"]).out;
    assert!(shown.contains("snips") && shown.contains("0.857143"), "{shown}");
}

#[test]
fn policies_come_as_tables_and_lists_and_models_of_rewards_are_made() {
    let table = folder(LOG, "[ope.policy]\ntable = \"policy.csv\"\n[ope.model]\nmeans = 0.0\n");
    std::fs::write(table.path().join("policy.csv"), "action,probability\na,0.5\nb,0.2\nc,0.3\n").unwrap();
    let found: Value = serde_json::from_str(&run_ok(table.path(), &["ope", "ope.toml", "--json"]).out).unwrap();
    assert!((value(&found, "ips") - (2.0 + 0.375) / 3.0).abs() < 1e-12);
    assert!(value(&found, "dr").is_finite() && value(&found, "dm").is_finite());
    std::fs::write(table.path().join("policy.csv"), "action,probability\na,0.5\nb,0.2\n").unwrap();
    let short = run(table.path(), &["ope", "ope.toml"]);
    assert!(short.code == Some(2) && short.err.contains("sum to 0.7"), "{}", short.err);
    let placed = LOG.replace("c,1,0.8,0.8,1", "c,1,0.8,0.8,2");
    let other = folder(&placed, "position = \"place\"\n[ope.policy]\ntable = \"policy.csv\"\n");
    std::fs::write(other.path().join("policy.csv"), "action,place,probability\na,1,0.5\nb,1,0.5\n").unwrap();
    let lacks = run(other.path(), &["ope", "ope.toml"]);
    assert!(lacks.code == Some(2) && lacks.err.contains("nothing of position 2"), "{}", lacks.err);
    let split =
        run(other.path(), &["ope", "ope.toml", "--set", "data.split={ kind = \"order\", valid = 0.1, test = 0.1 }"]);
    assert!(split.code == Some(2) && split.err.contains("data.split"), "{}", split.err);
    let lists = "{\"action\":0,\"reward\":1,\"mu\":0.25,\"pi\":[0.5,0.5],\"q\":[1.0,0.0]}\n{\"action\":1,\"reward\":0,\"mu\":0.5,\"pi\":[0.25,0.75],\"q\":[0.5,0.0]}\n";
    let own = folder(LOG, "[ope.policy]\ndistribution = \"pi\"\n[ope.model]\nrewards = \"q\"\n");
    std::fs::write(own.path().join("log.jsonl"), lists).unwrap();
    let found: Value = serde_json::from_str(
        &run_ok(own.path(), &["ope", "ope.toml", "--json", "--set", "data.source=\"log.jsonl\""]).out,
    )
    .unwrap();
    assert!((value(&found, "dm") - (0.5 + 0.125) / 2.0).abs() < 1e-12);
    assert!((value(&found, "dr") - value(&found, "dm")).abs() < 1e-12, "the model is right on both rows");
    assert!((value(&found, "ips") - 1.0).abs() < 1e-12);
    std::fs::write(own.path().join("log.jsonl"), lists.replace("0.25,0.75", "0.9,5.0")).unwrap();
    let sums = run(own.path(), &["ope", "ope.toml", "--set", "data.source=\"log.jsonl\""]);
    assert!(sums.code == Some(2) && sums.err.contains("row 2") && sums.err.contains("sum to 5.9"), "{}", sums.err);
}

#[test]
fn propensities_that_are_none_are_refused_with_their_row() {
    for (mu, word) in
        [("0", "probability 0"), ("", "missing"), ("1.5", "at most 1"), ("x", "no number"), ("-0.1", "-0.1")]
    {
        let folder = folder(&LOG.replace("0.4", mu), "[ope.policy]\ncolumn = \"pi\"\n");
        let refused = run(folder.path(), &["ope", "ope.toml"]);
        assert_eq!(refused.code, Some(2), "{mu}: {}", refused.err);
        assert!(refused.err.contains(word) && refused.err.contains("row 2"), "{mu}: {}", refused.err);
    }
    let without = folder(LOG, "[ope.policy]\ncolumn = \"pi\"\n");
    std::fs::write(without.path().join("ope.toml"), FILE.replace("propensity = \"mu\"\n", "")).unwrap();
    let refused = run(without.path(), &["ope", "ope.toml"]);
    assert!(refused.code == Some(2) && refused.err.contains("propensity"), "{}", refused.err);
    let none =
        run(without.path(), &["ope", "ope.toml", "--set", "ope.propensity=\"p\"", "--set", "ope.policy.uniform=true"]);
    assert!(none.code == Some(2) && none.err.contains("log.csv") && none.err.contains("mu"), "{}", none.err);
}

/// The figures of PyPI `obp` 0.4.1 over this log, made by benches/peers/obp_check.py.
#[test]
fn estimates_are_those_of_obp() {
    let choice = |row: usize| ((row * 7 + row / 5) % 8, row % 3 + 1);
    let row = |row: usize| {
        let (action, place) = choice(row);
        let mu = (1 + (action + place - 1 + 1) % 4) as f64 / 20.0;
        format!("{action},{place},{},{mu}\n", u8::from(row * 13 % 11 < 2))
    };
    let log: String = std::iter::once("item,place,click,mu\n".to_string()).chain((0..600).map(row)).collect();
    let weight = |action: usize, place: usize| 1.0 + ((action * 7 + (place - 1) * 3) % 5) as f64;
    let sum = |place: usize| (0..8).map(|action| weight(action, place)).sum::<f64>();
    let places = (0..8).flat_map(|action| (1..4).map(move |place| (action, place)));
    let line = |(a, p): (usize, usize)| format!("{a},{p},{}\n", weight(a, p) / sum(p));
    let policy: String = std::iter::once("item,place,probability\n".to_string()).chain(places.map(line)).collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), log).unwrap();
    std::fs::write(folder.path().join("policy.csv"), policy).unwrap();
    let file = "[data]\nsource = \"log.csv\"\n[ope]\naction = \"item\"\nreward = \"click\"\npropensity = \"mu\"\nposition = \"place\"\n\
                switch = 1.2\nresamples = 50\nmodel = { means = 10.0 }\npolicy = { table = \"policy.csv\" }\n";
    std::fs::write(folder.path().join("ope.toml"), file).unwrap();
    let found: Value = serde_json::from_str(&run_ok(folder.path(), &["ope", "ope.toml", "--json"]).out).unwrap();
    let figures = [
        ("ips", 0.221_586_791_831_357_07),
        ("snips", 0.182_522_534_064_873_98),
        ("dm", 0.181_666_666_666_666_67),
        ("dr", 0.182_758_838_383_838_38),
        ("switch-dr at 1.2", 0.178_538_372_859_025_05),
    ];
    for (name, figure) in figures {
        assert!((value(&found, name) - figure).abs() < 1e-9, "{name}: {} {figure}", value(&found, name));
    }
}
