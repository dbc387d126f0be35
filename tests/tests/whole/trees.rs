//! Trees whose leaves are ids, and the regression over them.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use burnrec_data::Side;
use burnrec_data::split::Dataset;
use burnrec_features::{Encoder, Keys, Purpose, Schema, TargetConfig};
use burnrec_tests::{run, run_ok};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// Two numbers whose signs together tell the label, which neither tells alone, and an id that tells a little.
fn log(rows: usize) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut text = String::from("x,y,shop,bought\n");
    for _ in 0..rows {
        let (x, y, shop): (f64, f64, u32) =
            (rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0), rng.random_range(0..9));
        let p = if (x > 0.0) == (y > 0.0) { 0.9 } else { 0.1 };
        let missing = rng.random_range(0..20) == 0;
        let x = if missing { String::new() } else { format!("{x:.4}") };
        writeln!(text, "{x},{y:.4},s{shop},{}", u8::from(rng.random::<f64>() < p)).unwrap();
    }
    text
}

fn config(model: &str, trees: &str) -> String {
    format!(
        "[data]\nsource = \"log.csv\"\nsplit = {{ kind = \"order\", valid = 0.1, test = 0.2 }}\n[backend]\ndevice = \"flex\"\n[tasks.label]\nlabel = {{ column = \"bought\" }}\n[features]\n[features.fields]\nx = \"numeric\"\ny = \"numeric\"\nshop = \"categorical\"\n{trees}[model.{model}]\n[train]\nbatch_size = 128\n"
    )
}

fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), log(6000)).unwrap();
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    folder
}

fn auc(folder: &Path) -> f64 {
    let text = std::fs::read_to_string(folder.join("out/summary.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["metrics"]["test"]["auc"].as_f64().unwrap()
}

#[test]
fn leaves_tell_what_no_weight_of_a_number_can() {
    let alone = folder(&config("lr", ""));
    run_ok(alone.path(), &["train", "job.toml", "--out", "out"]);
    let trees = folder(&config("gbdt_lr", "[features.trees]\ntrees = 30\n"));
    run_ok(trees.path(), &["train", "job.toml", "--out", "out"]);
    let (alone, with) = (auc(alone.path()), auc(trees.path()));
    assert!(alone < 0.55 && with > 0.85, "lr {alone}, over leaves {with}");
    // What was saved gives the same figure.
    let again: Value = serde_json::from_str(&run_ok(trees.path(), &["evaluate", "out", "--json"]).out).unwrap();
    assert_eq!(again["metrics"]["auc"].as_f64(), Some(with));
}

#[test]
fn a_row_reaches_one_leaf_of_each_tree_and_the_model_never_learns_from_the_trees_rows() {
    let folder = folder("");
    let features =
        "trees = { trees = 17, leaves = 5 }\n[fields]\nx = \"numeric\"\ny = \"numeric\"\nshop = \"categorical\"\n";
    let schema = Schema::new(&toml::from_str(features).unwrap(), &[TargetConfig::of("bought")]).unwrap();
    let data: burnrec_data::DataConfig =
        toml::from_str("source = \"log.csv\"\nsplit = { kind = \"order\", valid = 0.1, test = 0.2 }").unwrap();
    let dataset = Dataset::open(&folder.path().join("log.csv"), &data).unwrap();
    let columns = schema.columns(true);
    let place = schema.trees.as_ref().unwrap().1;
    let (encoder, vocabularies, _) = Encoder::fit(schema, &dataset, &columns).unwrap();
    let encoder = Arc::new(encoder);
    let source = dataset.source(Side::Train);
    let (mut left, mut all) = (0, 0);
    for rows in dataset.stream(Side::Train, &columns).unwrap() {
        let rows = rows.unwrap();
        let every = encoder.encode(&rows, &**source, Purpose::Measure).unwrap();
        let Keys::Many { offsets, keys, .. } = &every.keys[place] else { panic!() };
        assert!(offsets.windows(2).all(|w| w[1] - w[0] == 17));
        // Ids of different trees differ, and no tree has more than five leaves.
        for tree in 0..17 {
            let mut own: Vec<u64> = (0..every.rows).map(|r| keys[r * 17 + tree]).collect();
            own.sort_unstable();
            own.dedup();
            assert!((2..=5).contains(&own.len()), "{} leaves", own.len());
        }
        left += encoder.encode(&rows, &**source, Purpose::Train).unwrap().rows;
        all += every.rows;
    }
    assert!((left as f64 / all as f64 - 0.5).abs() < 0.05, "{left} of {all}");
    // The vocabulary counts the rows that are left, once for each tree.
    assert_eq!(vocabularies[place].iter().map(|(_, n)| *n as usize).sum::<usize>(), left * 17);
}

#[test]
fn ids_that_say_nothing_do_not_lead_the_trees_astray() {
    // As many shops as rows have pairs: a mean over its own rows would tell the label.
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let rows: String = (0..4000)
        .map(|r| {
            format!(
                "{:.3},{:.3},s{},{}\n",
                rng.random::<f64>(),
                rng.random::<f64>(),
                r / 2,
                u8::from(rng.random::<bool>())
            )
        })
        .collect();
    let folder = folder(&config("gbdt_lr", "[features.trees]\ntrees = 20\n"));
    std::fs::write(folder.path().join("log.csv"), format!("x,y,shop,bought\n{rows}")).unwrap();
    run_ok(
        folder.path(),
        &["train", "job.toml", "--out", "out", "--set", "data.split={kind=\"random\",valid=0.1,test=0.3}"],
    );
    assert!((auc(folder.path()) - 0.5).abs() < 0.06, "{}", auc(folder.path()));
    let trees: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("out/trees.json")).unwrap()).unwrap();
    let forest: Value = serde_json::from_str(trees["forest"].as_str().unwrap()).unwrap();
    // The shop gains no more than the two numbers do, which say as little.
    let mut gains = [0.0f64; 3];
    for tree in forest["trees"].as_array().unwrap() {
        let nodes = tree["nodes"].as_array().unwrap().iter().filter(|n| n["is_leaf"] == false);
        nodes.for_each(|n| gains[n["split_feature"].as_u64().unwrap() as usize] += n["split_gain"].as_f64().unwrap());
    }
    assert!(gains[2] <= gains[0] + gains[1], "{gains:?}");
}

#[test]
fn other_trees_than_those_learned_from_are_refused() {
    let folder = folder(&config("gbdt_lr", "[features.trees]\ntrees = 5\n"));
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    run_ok(folder.path(), &["train", "job.toml", "--out", "other", "--set", "features.trees.depth=2"]);
    std::fs::copy(folder.path().join("other/trees.json"), folder.path().join("out/trees.json")).unwrap();
    let outcome = run(folder.path(), &["evaluate", "out"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.err.contains("trees.json") && outcome.err.contains("other trees"), "{}", outcome.err);
}

#[test]
fn trees_that_no_weight_reads_and_leaves_without_trees_are_refused() {
    for (model, trees, says) in [
        ("gbdt_lr", "", "add an empty table [features.trees]"),
        ("mlp", "[features.trees]\n", "leaves"),
        ("gbdt_lr", "[features.trees]\nshare = 1.0\n", "features.trees.share"),
        ("gbdt_lr", "[features.trees]\nleafs = 3\n", "leafs"),
        ("gbdt_lr", "[features.items]\nid = \"shop\"\nuser = \"y\"\n[features.trees]\n", "remove features.items"),
    ] {
        let folder = folder(&config(model, trees));
        let outcome = run(folder.path(), &["train", "job.toml", "--out", "out"]);
        assert_eq!(outcome.code, Some(2), "{}", outcome.out);
        assert!(outcome.err.contains(says) && outcome.err.contains("job.toml:"), "{model} {trees}: {}", outcome.err);
        assert!(!folder.path().join("out").exists());
    }
}
