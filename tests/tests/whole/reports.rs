//! What a run leaves to look at: the page, comparisons, lists, explanations.

use std::path::Path;

use burnrec_tests::{experiment, job, run, run_ok};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

const TRAIN: &str = "epochs = 2\nbatch_size = 128";

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A page is whole and asks the network for nothing.
fn is_page(page: &str) {
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    for outside in ["src=\"http", "href=\"http", "url(", "@import", "fetch(", "XMLHttpRequest", "new WebSocket"] {
        assert!(!page.contains(outside), "the page has {outside}");
    }
    let data = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert!(data["charts"].is_array());
}

#[test]
fn a_run_ends_with_a_page_of_what_it_came_to() {
    let folder = job(1200, "deepfm", TRAIN);
    let outcome = run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    assert!(outcome.err.contains("report out/report.html"), "{}", outcome.err);
    let page = read(&folder.path().join("out/report.html"));
    is_page(&page);
    for part in ["Calibration", "What each field is worth", "AUC within groups", "Tables", "train.epochs", "validation"]
    {
        assert!(page.contains(part), "no {part}");
    }
    assert!(page.len() < 400_000, "{} bytes", page.len());
    let details: Value = serde_json::from_str(&read(&folder.path().join("out/details.json"))).unwrap();
    let task = &details["tasks"][0];
    let bins = task["calibration"].as_array().unwrap();
    let rows: u64 = bins.iter().map(|bin| bin["rows"].as_u64().unwrap()).sum();
    assert_eq!(Some(rows), task["rows"].as_u64());
    let key = |setting: &Value| setting["key"].as_str().unwrap().to_string();
    let settings: Vec<String> = details["settings"].as_array().unwrap().iter().map(key).collect();
    assert!(
        settings.contains(&"train.epochs".to_string()) && !settings.contains(&"train.l2".to_string()),
        "{settings:?}"
    );
}

#[test]
fn a_run_that_is_told_not_to_leaves_none() {
    let folder = job(400, "lr", TRAIN);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out", "--set", "run.report=false"]);
    assert!(!folder.path().join("out/report.html").exists() && !folder.path().join("out/details.json").exists());
}

/// Labels that follow three columns, in this order, and a fourth not at all.
fn planted(rows: usize) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut text = String::from("idle,much,little,some,user,clicked\n");
    for _ in 0..rows {
        let [a, b, c, d] = std::array::from_fn(|_| rng.random_range(0..6u32));
        let side = |x: u32| f64::from(x) - 2.5;
        let z = 1.6 * side(a) + 0.7 * side(b) + 0.25 * side(c);
        let clicked = u8::from(rng.random::<f64>() < 1.0 / (1.0 + (-z).exp()));
        text += &format!("n{d},m{a},l{c},s{b},u{},{clicked}\n", rng.random_range(0..40u32));
    }
    text
}

const PLANTED: &str = r#"[data]
source = "log.csv"
[backend]
device = "flex"
[features]
group = "user"
[features.fields]
idle = "categorical"
much = "categorical"
little = "categorical"
some = "categorical"
[tasks.clicked]
label = "clicked"
[model.MODEL]
[train]
epochs = 8
"#;

fn planted_job(model: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), planted(8000)).unwrap();
    std::fs::write(folder.path().join("job.toml"), PLANTED.replace("MODEL", model)).unwrap();
    folder
}

#[test]
fn importance_finds_the_planted_fields_in_their_order() {
    let folder = planted_job("deepfm");
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    let details: Value = serde_json::from_str(&read(&folder.path().join("out/details.json"))).unwrap();
    let found: Vec<(&str, f64)> = details["importance"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| (field["field"].as_str().unwrap(), field["loss"].as_f64().unwrap()))
        .collect();
    let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["much", "some", "little", "idle"], "{found:?}");
    assert!(found[2].1 > 0.0 && found[3].1.abs() < 0.01, "{found:?}");
}

#[test]
fn fields_of_a_sum_add_up_to_the_score() {
    let folder = planted_job("lr");
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    let asked = ["explain", "out", "--input", "log.csv", "--row", "7"];
    let text = run_ok(folder.path(), &asked).out;
    assert!(text.contains("log.csv:8") && text.contains("much"), "{text}");
    let json = run_ok(folder.path(), &[&asked[..], &["--json"]].concat()).out;
    let found: Value = serde_json::from_str(&json).unwrap();
    let task = &found["tasks"][0];
    let sum: f64 = task["fields"].as_object().unwrap().values().map(|x| x.as_f64().unwrap()).sum();
    let (score, mean) = (task["score"].as_f64().unwrap(), task["mean"].as_f64().unwrap());
    assert!((score - mean - sum).abs() < 1e-4, "{score} - {mean} is not {sum}");
    let beyond = run(folder.path(), &["explain", "out", "--input", "log.csv", "--row", "8001"]);
    assert!(beyond.code == Some(2) && beyond.err.contains("8000 rows"), "{}", beyond.err);
    let bare = run(folder.path(), &["explain", "out"]);
    assert!(bare.code == Some(2) && bare.err.contains("--row"), "{}", bare.err);
}

#[test]
fn settings_models_and_metrics_are_explained_and_slips_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let explain = |what: &str| run(folder.path(), &["explain", what]);
    let rate = run_ok(folder.path(), &["explain", "train.learning_rate"]).out;
    assert!(rate.contains("dense weights") && rate.contains("0.001"), "{rate}");
    assert!(explain("gauc").out.contains("each group"));
    assert!(explain("deepfm").out.contains("hidden"));
    assert!(explain("ndcg@10").out.contains("log2"));
    assert!(explain("learning_rate").out.contains("train.sparse.learning_rate"));
    let slip = explain("train.learnign_rate");
    assert!(slip.code == Some(2) && slip.err.contains("did you mean `train.learning_rate`?"), "{}", slip.err);
}

#[test]
fn runs_are_compared_draw_by_draw_and_listed() {
    let folder = planted_job("lr");
    let train = |out: &str, more: &[&str]| {
        run_ok(folder.path(), &[&["train", "job.toml", "--out", out][..], more].concat());
    };
    train("runs/a", &[]);
    train("runs/same", &["--set", "train.l2=0.0"]);
    train("runs/poor", &["--set", "features.fields={ idle = \"categorical\", some = \"categorical\" }"]);
    run_ok(folder.path(), &["report", "runs/a", "runs/same", "runs/poor", "--out", "three.html"]);
    let page = read(&folder.path().join("three.html"));
    is_page(&page);
    assert!(page.contains("Settings that differ") && page.contains("worse"), "no difference shows");
    let json = run_ok(folder.path(), &["report", "runs/a", "runs/same", "runs/poor", "--format", "json"]).out;
    let found: Value = serde_json::from_str(&json).unwrap();
    let auc = |at: usize| &found["runs"][at]["to_the_first"]["auc"];
    assert_eq!(
        (auc(1)["significant"].as_bool(), auc(1)["difference"].as_f64()),
        (Some(false), Some(0.0)),
        "{}",
        auc(1)
    );
    assert_eq!(auc(2)["significant"].as_bool(), Some(true), "{}", auc(2));
    assert!(auc(2)["difference"].as_f64().unwrap() < -0.05);
    let table = run_ok(folder.path(), &["report", "runs/a", "runs/poor", "--format", "md"]).out;
    assert!(table.contains("| run | model |") && table.contains("features.fields.much.kind"), "{table}");

    let listed = run_ok(folder.path(), &["runs", "--sort", "auc"]).out;
    let at = |name: &str| listed.find(name).unwrap_or_else(|| panic!("no {name} in {listed}"));
    assert!(at("runs/a") < at("runs/poor"), "{listed}");
    let only = run_ok(folder.path(), &["runs", "--where", "features.fields.much"]).out;
    assert!(only.contains("runs/a") && !only.contains("runs/poor"), "{only}");
    let json: Value = serde_json::from_str(&run_ok(folder.path(), &["runs", "--json"]).out).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 3);
    let wrong = run(folder.path(), &["runs", "--sort", "aucc"]);
    assert!(wrong.code == Some(2) && wrong.err.contains("auc"), "{}", wrong.err);
}

#[test]
fn what_a_folder_says_is_text_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "</script><img src=x onerror=alert(1)>";
    let log = planted(600).replacen("much", &format!("\"{evil}\""), 1);
    std::fs::write(folder.path().join("log.csv"), log).unwrap();
    let config = PLANTED.replace("MODEL", "lr").replace("much =", &format!("{evil:?} ="));
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    let out = "<b>out";
    run_ok(folder.path(), &["train", "job.toml", "--out", out]);
    let page = read(&folder.path().join(out).join("report.html"));
    is_page(&page);
    assert!(page.contains("&lt;img src=x") && !page.contains("<img"), "markup came through");
    assert!(page.contains("&lt;b&gt;out") && !page.contains("<b>out"));
}

#[test]
fn a_long_run_stays_a_small_page() {
    let folder = job(400, "lr", TRAIN);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    let events = folder.path().join("out/metrics.jsonl");
    let line = |step: u64| {
        let loss = 0.7 - step as f64 * 1e-6;
        format!(
            "{{\"time\":{step}.0,\"phase\":\"train\",\"epoch\":1,\"step\":{step},\"split\":\"train\",\"metrics\":{{\"loss\":{loss}}}}}\n"
        )
    };
    std::fs::write(&events, (1..=100_000).map(line).collect::<String>()).unwrap();
    run_ok(folder.path(), &["report", "out"]);
    let page = read(&folder.path().join("out/report.html"));
    is_page(&page);
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
}

#[test]
fn folders_that_hold_nothing_are_refused_in_words() {
    let folder = job(300, "lr", TRAIN);
    let refused = |arguments: &[&str], says: &str| {
        let outcome = run(folder.path(), arguments);
        assert!(outcome.code == Some(2) && outcome.err.contains(says), "{arguments:?}: {}", outcome.err);
    };
    refused(&["report", "."], "config.toml");
    refused(&["report", "nowhere"], "no folder");
    refused(&["runs", "nowhere"], "not a folder");
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    let mut events = std::fs::OpenOptions::new().append(true).open(folder.path().join("out/metrics.jsonl")).unwrap();
    std::io::Write::write_all(&mut events, b"{\"time\": 1}\n").unwrap();
    run_ok(folder.path(), &["report", "out"]);
    assert!(read(&folder.path().join("out/report.html")).contains("1 lines of metrics.jsonl"));
    for damaged in ["[", "[]", "null", "{\"tasks\": 3}"] {
        std::fs::write(folder.path().join("out/details.json"), damaged).unwrap();
        refused(&["report", "out"], "details.json");
    }
    let listed = run_ok(folder.path(), &["runs", "."]).out;
    assert!(listed.contains("damaged"), "{listed}");
}

#[test]
fn runs_over_other_rows_are_not_compared_draw_by_draw() {
    let folder = planted_job("lr");
    run_ok(folder.path(), &["train", "job.toml", "--out", "a"]);
    // As many rows, in another order.
    let log = folder.path().join("log.csv");
    let text = read(&log);
    let (head, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().rev().collect();
    std::fs::write(&log, format!("{head}\n{}\n", rows.join("\n"))).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "b"]);
    let json = run_ok(folder.path(), &["report", "a", "b", "--format", "json"]).out;
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["runs"][1]["to_the_first"], serde_json::json!({}), "{found}");
}

#[test]
fn numbers_that_no_run_writes_do_not_break_a_page() {
    let folder = job(400, "lr", TRAIN);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    let path = folder.path().join("out/details.json");
    let whole: Value = serde_json::from_str(&read(&path)).unwrap();
    for (at, value) in [
        ("/tasks/0/scores/low", 1e300),
        ("/tasks/0/scores/high", -1e300),
        ("/tasks/0/calibration/0/observed", 1e308),
        ("/importance/0/loss", -1e308),
        ("/tables/0/largest_norm", 1e308),
        ("/tasks/0/draws/0/value", 1e308),
    ] {
        let mut other = whole.clone();
        *other.pointer_mut(at).unwrap() = value.into();
        std::fs::write(&path, other.to_string()).unwrap();
        run_ok(folder.path(), &["report", "out"]);
        let page = read(&folder.path().join("out/report.html"));
        let body = page.split("<main>").nth(1).unwrap().split("</main>").next().unwrap();
        assert!(!body.contains("NaN") && !body.contains(">inf") && !body.contains("\"inf"), "{at}");
    }
}

#[test]
fn a_row_is_that_of_the_file_whatever_order_rows_are_read_in() {
    let folder = job(600, "din", TRAIN);
    let log = folder.path().join("log.csv");
    // The latest rows first: histories are read in the order of time.
    let text = read(&log);
    let (head, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().rev().collect();
    std::fs::write(&log, format!("{head}\n{}\n", rows.join("\n"))).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "out", "--set", "data.sort_by=time"]);
    for row in ["1", "41", "600"] {
        let text = run_ok(folder.path(), &["explain", "out", "--input", "log.csv", "--row", row]).out;
        let line = row.parse::<usize>().unwrap() + 1;
        assert!(text.starts_with(&format!("log.csv:{line},")), "{row}: {text}");
    }
}

#[test]
fn every_model_of_rows_leaves_details() {
    for model in ["mmoe", "din", "gbdt_lr", "drn"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("log.csv"), burnrec_tests::click_log(600, 3)).unwrap();
        std::fs::write(folder.path().join("job.toml"), experiment("log.csv", model, TRAIN)).unwrap();
        run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
        let details: Value = serde_json::from_str(&read(&folder.path().join("out/details.json"))).unwrap();
        assert!(!details["importance"].as_array().unwrap().is_empty(), "{model}: {details}");
    }
}

#[test]
fn tensorboard_reads_the_event_file() {
    let folder = job(400, "lr", TRAIN);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    let told = run_ok(folder.path(), &["report", "out", "--format", "tensorboard"]).out;
    let file = folder.path().join(told.trim());
    assert!(std::fs::metadata(&file).unwrap().len() > 200);
    // Its own reader, where a Python that has it (`pip install tensorboard`) is named.
    let Ok(python) = std::env::var("BURNREC_TENSORBOARD_PYTHON") else { return };
    let script = "import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as E
e = E(sys.argv[1]); e.Reload()
print(e.Tags()); print([x.value for x in e.Scalars('auc/valid')])";
    let asked = std::process::Command::new(python).args(["-c", script]).arg(file.parent().unwrap()).output().unwrap();
    let text = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(text.contains("auc/valid") && text.contains("probability/label/label 1"), "{text}");
}
