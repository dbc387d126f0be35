//! Looking for items: generated users who like one kind of item, and the commands that work on what was learned.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use burnrec_tests::{run, run_ok};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

pub(crate) const USERS: usize = 200;
pub(crate) const ITEMS: usize = 120;
pub(crate) const KINDS: usize = 12;

/// Each user likes items of one kind, in order of time; every item is as popular as the others of its rank in a kind.
pub(crate) fn log() -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut text = String::from("user,item,kind,like,time\n");
    for user in 0..USERS {
        let kind = user % KINDS;
        let mut left: Vec<usize> = (0..ITEMS / KINDS).collect();
        for step in 0..8 {
            let own = left.swap_remove(rng.random_range(0..left.len()));
            let (item, like) = (own * KINDS + kind, u8::from(step != 2));
            writeln!(text, "u{user},i{item},k{kind},{like},{}", step * 100 + user).unwrap();
        }
    }
    text
}

pub(crate) fn config(fields: &str, items: &str, tables: &str) -> String {
    format!(
        r#"[data]
source = "log.csv"
sort_by = "time"
split = {{ kind = "user_last", user = "user", time = "time", valid = 0.13, test = 0.25 }}
history = {{ user = "user", time = "time", columns = {{ past = "item" }}, max_length = 8 }}
[backend]
device = "flex"
[tasks.label]
label = "like"
metrics = ["recall@10"]
[features]
[features.fields]
item = "categorical"
{fields}
[features.items]
id = "item"
user = "user"
time = "time"
{items}
{tables}
"#
    )
}

pub(crate) fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), log()).unwrap();
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    folder
}

pub(crate) fn youtube(negatives: &str) -> String {
    let past = "past = { kind = \"sequence\", table = \"item\" }";
    let train = "[train]\nbatch_size = 64\nepochs = 30\npatience = 0\nmonitor = \"recall@10\"\nsparse = { learning_rate = 0.01 }";
    config(past, "", &format!("[features.negatives]\n{negatives}\n[model.youtube_dnn]\nhidden = [32, 16]\n{train}"))
}

pub(crate) fn pairs(model: &str, fields: &str, items: &str, pairs: &str) -> String {
    let train = "[train]\nbatch_size = 256\nepochs = 30\npatience = 0\nmonitor = \"recall@10\"\nsparse = { learning_rate = 0.02 }";
    let negatives = "[features.negatives]\nper_positive = 5\nsampler = \"popularity\"";
    config(
        fields,
        items,
        &format!("[features.pairs]\n{pairs}\n{negatives}\n[model.{model}]\nembedding_dim = 16\n{train}"),
    )
}

pub(crate) fn summary(folder: &Path, run: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join(run).join("summary.json")).unwrap()).unwrap()
}

/// Test recall of the model and of popularity.
pub(crate) fn recalls(folder: &Path) -> (f64, f64) {
    let summary = summary(folder, "out");
    let recall = |of: &Value| of["recall@10"].as_f64().unwrap();
    (recall(&summary["metrics"]["test"]), recall(&summary["baselines"]["test"]["popularity"]))
}

#[test]
fn every_way_of_drawing_finds_the_kind_that_users_like() {
    let samplers = [
        "shared = 40",
        "shared = 40\nsampler = \"log_uniform\"",
        "shared = 40\nsampler = \"popularity\"",
        "sampler = \"in_batch\"",
    ];
    let rows = ["per_positive = 4", "per_positive = 4\nsampler = \"in_batch\""];
    let losses: Vec<(&str, &str)> = samplers
        .iter()
        .map(|s| (*s, "sampled_softmax"))
        .chain(rows.iter().flat_map(|r| [(*r, "bce"), (*r, "bpr")]))
        .collect();
    for (negatives, loss) in losses {
        let folder = folder(&youtube(negatives));
        run_ok(folder.path(), &["train", "job.toml", "--out", "out", "--set", &format!("tasks.label.loss={loss}")]);
        let (model, popular) = recalls(folder.path());
        assert!(model > 0.8 && popular < 0.4, "{negatives} {loss}: {model}, by popularity {popular}");
    }
}

#[test]
fn pairs_and_walks_find_it_too() {
    let plain = pairs("item2vec", "", "", "window = 3");
    let set = pairs("item2vec", "", "", "window = 3\nshuffle = true");
    let walks =
        pairs("eges", "kind = \"categorical\"", "fields = [\"kind\"]", "window = 3\nwalk_length = 6\nwalks = 5");
    for (name, config) in [("pairs", plain), ("shuffled", set), ("walks", walks)] {
        let config = config.replace(
            "history = { user = \"user\", time = \"time\", columns = { past = \"item\" }, max_length = 8 }\n",
            "",
        );
        let folder = folder(&config);
        run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
        let (model, popular) = recalls(folder.path());
        assert!(model > 0.8 && popular < 0.4, "{name}: {model}, by popularity {popular}");
    }
}

#[test]
fn rows_that_were_not_liked_mislead_no_sampler() {
    // A quarter of the rows is not liked, and half of the items never: they are no classes.
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let disliked: String = (0..USERS * 3)
        .map(|r| format!("u{},i{},k{},0,{}\n", r % USERS, ITEMS + rng.random_range(0..ITEMS), KINDS, r % 300))
        .collect();
    for negatives in ["sampler = \"in_batch\"", "shared = 40\nsampler = \"popularity\""] {
        let folder = folder(&youtube(negatives));
        std::fs::write(folder.path().join("log.csv"), log() + &disliked).unwrap();
        run_ok(folder.path(), &["train", "job.toml", "--out", "out", "--set", "train.log_every=5"]);
        let (model, popular) = recalls(folder.path());
        assert!(model > 0.5 && model > 1.5 * popular, "{negatives}: {model}, by popularity {popular}");
        let log = std::fs::read_to_string(folder.path().join("out/metrics.jsonl")).unwrap();
        let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
        assert!(first["metrics"]["loss"].as_f64().unwrap() < 6.0, "{negatives}: {first}");
    }
}

#[test]
fn rows_of_items_too_rare_to_be_drawn_teach_no_class() {
    let folder = folder(&youtube("shared = 40"));
    let settings = ["--set", "train.log_every=5", "--set", "train.epochs=1"];
    let loss = |out: &str, min_count: &str| {
        run_ok(folder.path(), &[&["train", "job.toml", "--out", out, "--set", min_count][..], &settings].concat());
        let log = std::fs::read_to_string(folder.path().join(out).join("metrics.jsonl")).unwrap();
        serde_json::from_str::<Value>(log.lines().next().unwrap()).unwrap()["metrics"]["loss"].as_f64().unwrap()
    };
    // Of 120 items each in some 8 training rows, about half are left: a class fewer costs less, but no class costs nothing.
    let (all, fewer) = (loss("all", "features.min_count=1"), loss("fewer", "features.min_count=8"));
    assert!((all - fewer).abs() < 0.5, "{all} {fewer}");
}

#[test]
fn users_and_items_of_later_sides_alone_are_no_obstacle() {
    let folder = folder(&youtube("shared = 40"));
    let late: String = (0..40).map(|r| format!("late{},new{},k1,1,{}\n", r % 7, r % 11, 5000 + r)).collect();
    std::fs::write(folder.path().join("log.csv"), log() + &late).unwrap();
    let split = "data.split={kind=\"time\",column=\"time\",valid=0.1,test=0.1}";
    run_ok(folder.path(), &["train", "job.toml", "--out", "out", "--set", split, "--set", "train.epochs=2"]);
    run_ok(folder.path(), &["evaluate", "out", "--split", "valid"]);
    std::fs::write(folder.path().join("who.csv"), "user\nlate3\n").unwrap();
    assert_eq!(run_ok(folder.path(), &["recommend", "out", "--users", "who.csv", "--k", "4"]).out.lines().count(), 4);
}

#[test]
fn users_are_asked_about_with_the_histories_that_they_were_trained_with() {
    let capped = youtube("shared = 40").replace("max_length = 8", "max_length = 1");
    let both = capped.replace("table = \"item\" }", "table = \"item\", max_length = 1 }");
    let recalls: Vec<Value> = [capped, both]
        .iter()
        .map(|config| {
            let folder = folder(config);
            run_ok(folder.path(), &["train", "job.toml", "--out", "out", "--set", "train.epochs=3"]);
            summary(folder.path(), "out")["metrics"].clone()
        })
        .collect();
    assert_eq!(recalls[0], recalls[1]);
}

#[test]
fn a_models_own_rows_and_recommendations_agree_after_it_was_saved() {
    let config = "[data]\nsource = \"log.csv\"\n[backend]\ndevice = \"flex\"\n[tasks.label]\nlabel = { column = \"like\" }\n[features]\n[features.fields]\nuser = \"categorical\"\nitem = \"categorical\"\ntags = { kind = \"multi\", separator = \"|\", weights = \"how\" }\nboth = { kind = \"cross\", of = [\"user\", \"tags\"] }\n[features.items]\nid = \"item\"\nuser = \"user\"\nfields = [\"tags\"]\n[model.fm]\n[train]\nepochs = 2\nbatch_size = 64\n";
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..900)
        .map(|r| {
            format!("u{},i{},t{}|t{},{}|{},{}\n", r % 9, r % 20, r % 20 % 3, 3 + r % 20 % 4, r % 20, 0.5, r * 7 % 5 / 3)
        })
        .collect();
    std::fs::write(folder.path().join("log.csv"), format!("user,item,tags,how,like\n{rows}")).unwrap();
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    std::fs::write(folder.path().join("who.csv"), "user\nu4\n").unwrap();
    let out = run_ok(folder.path(), &["recommend", "out", "--users", "who.csv", "--k", "20"]).out;
    let asked: String = (0..20).map(|i| format!("u4,i{i},t{}|t{},{i}|0.5\n", i % 3, 3 + i % 4)).collect();
    std::fs::write(folder.path().join("ask.csv"), format!("user,item,tags,how\n{asked}")).unwrap();
    run_ok(folder.path(), &["predict", "out", "--input", "ask.csv", "--output", "asked.csv", "--columns", "item"]);
    let predicted = std::fs::read_to_string(folder.path().join("asked.csv")).unwrap();
    let probability: BTreeMap<&str, f32> =
        predicted.lines().skip(1).map(|l| l.split_once(',').unwrap()).map(|(i, p)| (i, p.parse().unwrap())).collect();
    assert_eq!(out.lines().count(), 20);
    for line in out.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        let logit: f32 = cells[3].parse().unwrap();
        let p = 1.0 / (1.0 + (-logit).exp());
        assert!((p - probability[cells[2]]).abs() < 1e-5, "{line} {}", probability[cells[2]]);
    }
}

#[test]
fn neural_filters_rank_among_drawn_items_and_start_from_runs_before_them() {
    let config = format!(
        r#"[data]
source = "log.csv"
split = {{ kind = "leave_one_out", user = "user", time = "time" }}
[backend]
device = "flex"
[tasks.label]
label = {{ column = "like", threshold = 0 }}
[features]
[features.fields]
item = "categorical"
user = "categorical"
[features.items]
id = "item"
user = "user"
[features.negatives]
per_positive = 4
evaluate = 50
[model.neumf]
user = "user"
item = "item"
[train]
batch_size = 128
epochs = {}
patience = 0
sparse = {{ learning_rate = 0.01 }}
"#,
        12
    );
    let folder = folder(&config);
    let train = |out: &str, more: &[&str]| run(folder.path(), &[&["train", "job.toml", "--out", out], more].concat());
    for part in ["gmf", "mlp", "mf"] {
        let outcome =
            train(part, &["--set", &format!("model.neumf.part={part}"), "--set", "model.neumf.embedding_std=0.1"]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.err);
        let summary = summary(folder.path(), part);
        let hit = |of: &Value| of["hr@10"].as_f64().unwrap();
        let (model, popular) = (hit(&summary["metrics"]["test"]), hit(&summary["baselines"]["test"]["popularity"]));
        assert!(model > popular + 0.2, "{part}: {model}, by popularity {popular}");
    }
    let from = "model.neumf.pretrained={gmf=\"gmf\",mlp=\"mlp\"}";
    let first = |out: &str, more: &[&str]| {
        let outcome = train(
            out,
            &[
                &[
                    "--set",
                    "train.epochs=1",
                    "--set",
                    "train.optimizer.kind=sgd",
                    "--set",
                    "train.learning_rate=1e-9",
                    "--set",
                    "train.sparse={kind=\"sgd\",learning_rate=1e-9}",
                ],
                more,
            ]
            .concat(),
        );
        assert_eq!(outcome.code, Some(0), "{}", outcome.err);
        summary(folder.path(), out)["metrics"]["test"]["ndcg@10"].as_f64().unwrap()
    };
    let (fresh, started) = (first("fresh", &[]), first("started", &["--set", from]));
    assert!(started > fresh + 0.2, "from new weights {fresh}, from two runs {started}");
    let outcome = train("swapped", &["--set", "model.neumf.pretrained={gmf=\"mlp\",mlp=\"mlp\"}"]);
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome.err.contains("model.neumf.pretrained.gmf") && outcome.err.contains("part = \"gmf\""),
        "{}",
        outcome.err
    );
    let outcome = train("wide", &["--set", from, "--set", "model.neumf.factors=9"]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.err);
}

#[test]
fn models_of_vectors_train_on_wgpu() {
    if burnrec_backend::open(burnrec_backend::DeviceName::Wgpu).is_err() {
        return burnrec_tests::skipped("no wgpu adapter answers; drawn items were not tried on it");
    }
    let eges = pairs("eges", "kind = \"categorical\"", "fields = [\"kind\"]", "window = 3");
    let eges = eges
        .replace("history = { user = \"user\", time = \"time\", columns = { past = \"item\" }, max_length = 8 }\n", "");
    for config in [youtube("shared = 40"), youtube("sampler = \"in_batch\""), youtube("per_positive = 4"), eges] {
        let folder = folder(&config);
        let losses: Vec<f64> = ["flex", "wgpu"]
            .into_iter()
            .map(|device| {
                let more = ["--device", device, "--set", "train.epochs=2", "--set", "train.log_every=1000"];
                run_ok(folder.path(), &[&["train", "job.toml", "--out", device][..], &more].concat());
                let log = std::fs::read_to_string(folder.path().join(device).join("metrics.jsonl")).unwrap();
                let lines = log.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
                lines.filter_map(|l| l["metrics"]["loss"].as_f64()).next_back().unwrap()
            })
            .collect();
        assert!((losses[0] - losses[1]).abs() < 2e-2 * losses[0].abs(), "{losses:?}\n{config}");
    }
}
