//! The commands as a user types them.

use std::path::Path;

use burnrec_tests::{click_log, command, experiment, job, outcome, run, run_ok, skipped};
use serde_json::Value;

const TRAIN: &str = "epochs = 2\nbatch_size = 128";

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A group serves metrics alone, so that rows to be scored need not have it.
#[test]
fn rows_without_the_group_are_scored() {
    let folder = job(500, "lr", "epochs = 1");
    let fields = "features.fields={ item = \"categorical\" }";
    run_ok(folder.path(), &["train", "job.toml", "--out", "run", "--set", fields, "--set", "features.group=user"]);
    std::fs::write(folder.path().join("new.csv"), "item\n3\n4\n").unwrap();
    run_ok(folder.path(), &["predict", "run", "--input", "new.csv", "--output", "out.csv"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("out.csv")).unwrap().lines().count(), 3);
    // A line of JSON may lack keys, and a file of other lines is another file.
    std::fs::write(folder.path().join("other.jsonl"), "{\"a\": 1}\n{\"b\": 2}\n").unwrap();
    let refused = run(folder.path(), &["predict", "run", "--input", "other.jsonl", "--output", "no.csv"]);
    assert!(refused.code == Some(2) && refused.err.contains("`item`"), "{}", refused.err);
    assert!(!folder.path().join("no.csv").exists());
}

#[test]
fn a_job_leaves_what_the_run_folder_promises() {
    let folder = job(3000, "wide_deep", TRAIN);
    let outcome = run_ok(folder.path(), &["train", "job.toml", "--out", "run", "--threads", "2"]);
    assert!(outcome.out.contains("test ") && outcome.out.contains("auc"), "{}", outcome.out);
    let summary = json(&folder.path().join("run/summary.json"));
    assert_eq!(summary["status"], "completed");
    assert_eq!(summary["device"]["kind"], "flex");
    let rows = &summary["rows"];
    assert_eq!(
        rows["train"].as_u64().unwrap() + rows["valid"].as_u64().unwrap() + rows["test"].as_u64().unwrap(),
        3000
    );
    assert!(summary["metrics"]["test"]["auc"].as_f64().unwrap() > 0.7, "{summary}");
    assert!(summary["parameters"]["dense"].as_u64().unwrap() > 1000);
    let events = std::fs::read_to_string(folder.path().join("run/metrics.jsonl")).unwrap();
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        for key in ["time", "phase", "epoch", "step", "split", "metrics"] {
            assert!(!event[key].is_null(), "{line}");
        }
    }
    // The resolved configuration says what fields mean where nothing was said, and reproduces the run.
    let resolved = std::fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    assert!(resolved.contains("pooling = \"mean\"") && resolved.contains("transform = "), "{resolved}");
    run_ok(folder.path(), &["train", "run/config.toml", "--out", "again"]);
    burnrec_tests::assert_same_weights(&folder.path().join("run"), &folder.path().join("again"));
    let again = json(&folder.path().join("again/summary.json"));
    assert_eq!(again["metrics"], summary["metrics"]);
}

#[test]
fn evaluate_repeats_the_summary_and_takes_other_rows() {
    let folder = job(3000, "mlp", TRAIN);
    run_ok(folder.path(), &["train", "job.toml", "--out", "run"]);
    let evaluated: Value = serde_json::from_str(&run_ok(folder.path(), &["evaluate", "run", "--json"]).out).unwrap();
    assert_eq!(evaluated["metrics"], json(&folder.path().join("run/summary.json"))["metrics"]["test"]);
    std::fs::write(folder.path().join("other.csv"), click_log(500, 99)).unwrap();
    let other = run_ok(folder.path(), &["evaluate", "run", "--input", "other.csv"]).out;
    assert!(other.contains("auc 0."), "{other}");
    // One class: the metric is undefined, with its reason.
    let ones: String = click_log(200, 3).lines().filter(|l| !l.contains(",0,")).map(|l| format!("{l}\n")).collect();
    std::fs::write(folder.path().join("ones.csv"), ones).unwrap();
    let undefined: Value =
        serde_json::from_str(&run_ok(folder.path(), &["evaluate", "run", "--input", "ones.csv", "--json"]).out)
            .unwrap();
    assert!(
        undefined["metrics"]["auc"].is_null() && undefined["undefined"]["auc"].as_str().unwrap().contains("one class")
    );
}

#[test]
fn predict_keeps_order_and_columns_in_every_format() {
    let folder = job(1000, "fm", TRAIN);
    run_ok(folder.path(), &["train", "job.toml", "--out", "run"]);
    // Without label and time: a file to be scored need not have them.
    let log = click_log(300, 5);
    let input: String = log.lines().map(|l| l.rsplitn(3, ',').nth(2).unwrap().to_string() + "\n").collect();
    std::fs::write(folder.path().join("new.csv"), &input).unwrap();
    for output in ["out.csv", "out.jsonl", "out.parquet"] {
        run_ok(folder.path(), &["predict", "run", "--input", "new.csv", "--output", output]);
    }
    let csv = std::fs::read_to_string(folder.path().join("out.csv")).unwrap();
    assert_eq!(csv.lines().count(), 301);
    assert_eq!(csv.lines().next(), Some("user,item,tags,price,prediction"));
    for (before, after) in input.lines().zip(csv.lines()) {
        assert!(after.starts_with(before), "{before} / {after}");
    }
    let first: Value =
        serde_json::from_str(std::fs::read_to_string(folder.path().join("out.jsonl")).unwrap().lines().next().unwrap())
            .unwrap();
    let cells: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(first["user"], cells[0]);
    assert!((first["prediction"].as_f64().unwrap() - cells[4].parse::<f64>().unwrap()).abs() < 1e-6);
    std::fs::write(
        folder.path().join("typed.jsonl"),
        "{\"user\":\"u1\",\"item\":\"i1\",\"tags\":\"t1\",\"price\":3,\"flag\":true}\n",
    )
    .unwrap();
    run_ok(folder.path(), &["predict", "run", "--input", "typed.jsonl", "--output", "typed.out.jsonl"]);
    let typed = std::fs::read_to_string(folder.path().join("typed.out.jsonl")).unwrap();
    assert!(
        typed.starts_with(r#"{"user":"u1","item":"i1","tags":"t1","price":3,"flag":true,"prediction":0."#),
        "{typed}"
    );
    // Scores of the Parquet file, read back, are those of the CSV.
    run_ok(
        folder.path(),
        &["predict", "run", "--input", "out.parquet", "--output", "back.csv", "--columns", "user,item"],
    );
    let back = std::fs::read_to_string(folder.path().join("back.csv")).unwrap();
    for (a, b) in csv.lines().zip(back.lines()).skip(1) {
        assert_eq!(a.rsplit(',').next(), b.rsplit(',').next());
        assert_eq!(b.split(',').count(), 3);
    }
}

/// Trains on the same rows in another format and wants the same metrics.
#[test]
fn one_log_in_many_formats_trains_the_same_model() {
    use std::io::Write;
    let folder = job(1500, "lr", TRAIN);
    let log = std::fs::read_to_string(folder.path().join("log.csv")).unwrap();
    let mut gz = flate2::write::GzEncoder::new(
        std::fs::File::create(folder.path().join("log.csv.gz")).unwrap(),
        flate2::Compression::fast(),
    );
    gz.write_all(log.as_bytes()).unwrap();
    gz.finish().unwrap();
    std::fs::write(folder.path().join("log.tsv"), log.replace(',', "\t")).unwrap();
    let names: Vec<&str> = log.lines().next().unwrap().split(',').collect();
    let object = |line: &str| {
        let cells = line.split(',').zip(&names).map(|(cell, name)| match *name {
            "tags" => (name.to_string(), Value::from(cell.split('|').collect::<Vec<_>>())),
            "user" | "item" => (name.to_string(), Value::from(cell)),
            _ => (name.to_string(), serde_json::from_str(cell).unwrap()),
        });
        Value::Object(cells.collect()).to_string() + "\n"
    };
    // A blank first line puts the rows on the same lines as in the CSV, so that the split is the same.
    let lines: String = log.lines().skip(1).map(object).collect();
    std::fs::write(folder.path().join("log.jsonl"), format!("\n{lines}")).unwrap();
    let auc = |source: &str| {
        std::fs::write(folder.path().join("job.toml"), experiment(source, "lr", TRAIN)).unwrap();
        let out = format!("run-{source}");
        run_ok(folder.path(), &["train", "job.toml", "--out", &out]);
        json(&folder.path().join(out).join("summary.json"))["metrics"].clone()
    };
    let expected = auc("log.csv");
    for source in ["log.csv.gz", "log.tsv", "log.jsonl"] {
        assert_eq!(auc(source), expected, "{source}");
    }
}

#[test]
fn libsvm_lines_train() {
    let folder = tempfile::tempdir().unwrap();
    let line = |i: usize| format!("{} {}:1 {}:0.5\n", u8::from(i % 7 < 3), i % 7, 10 + i % 3);
    std::fs::write(folder.path().join("a.libsvm"), (0..700).map(line).collect::<String>()).unwrap();
    let config = "[data]\nsource = \"a.libsvm\"\n[tasks.label]\nlabel = { column = \"label\" }\n[features]\n[features.fields]\nfeatures = { kind = \"multi\", weights = \"values\", pooling = \"sum\" }\n[model.lr]\n[train]\nepochs = 20\nsparse = { learning_rate = 0.1 }\n";
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "run", "--device", "flex"]);
    assert!(json(&folder.path().join("run/summary.json"))["metrics"]["test"]["auc"].as_f64().unwrap() > 0.99);
}

#[test]
fn side_tables_join_and_the_sort_by_time_orders_rows() {
    let folder = job(500, "lr", TRAIN);
    std::fs::write(
        folder.path().join("items.csv"),
        (0..80).map(|i| format!("i{i},b{}\n", i % 4)).fold("item,brand\n".into(), |a: String, b| a + &b),
    )
    .unwrap();
    let config = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    let config = config
        .replace("[backend]", "sort_by = \"time\"\n[[data.join]]\nsource = \"items.csv\"\non = \"item\"\n\n[backend]")
        .replace("price = \"numeric\"", "price = \"numeric\"\nbrand = \"categorical\"");
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "run"]);
    // The file to be scored is joined with the same table.
    run_ok(folder.path(), &["predict", "run", "--input", "log.csv", "--output", "out.csv"]);
    let header = std::fs::read_to_string(folder.path().join("out.csv")).unwrap();
    assert_eq!(header.lines().next(), Some("user,item,tags,price,clicked,time,prediction"));
    // Items that are all new are scored, and said to be.
    std::fs::write(folder.path().join("new.csv"), "user,item,tags,price\nu1,fresh,t1,2\n").unwrap();
    let told = run_ok(folder.path(), &["predict", "run", "--input", "new.csv", "--output", "new-p.csv"]).err;
    assert!(told.contains("new.csv finds its `item` in the side table"), "{told}");
    std::fs::write(folder.path().join("items.csv"), "item,brand\ni1,a\ni1,b\n").unwrap();
    let twice = run(folder.path(), &["train", "job.toml", "--out", "twice"]);
    assert_eq!(twice.code, Some(2));
    assert!(twice.err.contains("items.csv:3") && twice.err.contains("i1"), "{}", twice.err);
}

#[test]
fn what_there_is_can_be_listed() {
    let folder = tempfile::tempdir().unwrap();
    for model in burnrec_models::registered() {
        assert!(run_ok(folder.path(), &["models"]).out.lines().any(|l| l.starts_with(model.name)), "{}", model.name);
    }
    let devices: Value = serde_json::from_str(&run_ok(folder.path(), &["devices", "--json"]).out).unwrap();
    assert_eq!(devices["devices"][0]["kind"], "flex");
    let schema: Value = serde_json::from_str(&run_ok(folder.path(), &["schema"]).out).unwrap();
    assert!(schema["properties"]["train"].is_object());
    assert!(run_ok(folder.path(), &["data", "list"]).out.contains("ml-100k"));
    std::fs::write(folder.path().join("log.csv"), click_log(50, 1)).unwrap();
    let facts = run_ok(folder.path(), &["data", "inspect", "log.csv"]).out;
    assert!(facts.contains("50 rows") && facts.contains("price"), "{facts}");
    run_ok(folder.path(), &["--help"]);
    assert_eq!(run(folder.path(), &["fly"]).code, Some(2));
}

#[test]
fn generated_logs_say_their_bayes_auc_and_one_pass_beats_the_linear_model() {
    let folder = tempfile::tempdir().unwrap();
    let generated: Value = serde_json::from_str(
        &run_ok(folder.path(), &["data", "generate", "criteo", "--rows", "1000", "--out", "log.parquet"]).out,
    )
    .unwrap();
    assert!(generated["truth"]["bayes_auc"].as_f64().unwrap() > 0.7);
    let mut auc = Vec::new();
    for model in ["lr", "wide_deep"] {
        let config = burnrec_tests::workspace().join(format!("configs/synthetic/{model}.toml"));
        let arguments = ["train", config.to_str().unwrap(), "--out", model, "--device", "flex"];
        let smaller = [
            "--set",
            "data.synthetic.rows=300000",
            "--set",
            "data.synthetic.ids=5000",
            "--set",
            "train.batch_size=512",
        ];
        run_ok(folder.path(), &[&arguments[..], &smaller].concat());
        auc.push(json(&folder.path().join(model).join("summary.json"))["metrics"]["test"]["auc"].as_f64().unwrap());
    }
    assert!(auc[1] > auc[0] + 0.01, "{auc:?}");
}

#[test]
fn a_data_set_without_a_source_in_reach_names_each_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let datasets = folder.path().join("datasets");
    std::fs::create_dir(&datasets).unwrap();
    let manifest = std::fs::read_to_string(burnrec_tests::workspace().join("datasets/ml-100k.toml")).unwrap();
    let offline = manifest
        .replace("https://files.grouplens.org/datasets/movielens/ml-100k.zip", "http://127.0.0.1:9/ml-100k.zip");
    std::fs::write(datasets.join("ml-100k-offline.toml"), offline).unwrap();
    // The index is out of reach on every machine: what would answer for it does not.
    let mut fetch = command(folder.path(), &["data", "fetch", "ml-100k-offline"]);
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        fetch.env(name, "http://127.0.0.1:9");
    }
    let outcome = outcome(fetch.env_remove("NO_PROXY").env_remove("no_proxy"));
    assert_eq!(outcome.code, Some(1), "{}", outcome.err);
    for says in ["127.0.0.1:9", "recbole", "configs/synthetic/wide_deep.toml", "licence"] {
        assert!(outcome.err.contains(says), "no {says} in {}", outcome.err);
    }
    let left: Vec<_> = std::fs::read_dir(&datasets).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["ml-100k-offline.toml"], "left behind");
}

#[test]
fn training_on_wgpu_reaches_the_quality_of_flex() {
    if burnrec_backend::open(burnrec_backend::DeviceName::Wgpu).is_err() {
        return skipped("training on wgpu: no adapter answers");
    }
    let folder = job(2000, "wide_deep", TRAIN);
    let mut auc = Vec::new();
    for device in ["flex", "wgpu"] {
        run_ok(folder.path(), &["train", "job.toml", "--out", device, "--device", device]);
        let summary = json(&folder.path().join(device).join("summary.json"));
        assert_eq!(summary["device"]["kind"], device);
        auc.push(summary["metrics"]["test"]["auc"].as_f64().unwrap());
    }
    assert!((auc[0] - auc[1]).abs() < 5e-3, "{auc:?}");
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let config = std::fs::read_to_string(burnrec_tests::workspace().join("configs/synthetic/lr.toml")).unwrap();
    let (before, after) = config.split_once("[data.synthetic]").unwrap();
    let after = &after[after.find("[features]").unwrap()..];
    std::fs::write(folder.path().join("job.toml"), format!("{before}{after}")).unwrap();
    let mut peaks = Vec::new();
    for rows in ["200000", "1600000"] {
        let log = format!("{rows}.parquet");
        run_ok(folder.path(), &["data", "generate", "criteo", "--rows", rows, "--out", &log]);
        let source = format!("data.source={log}");
        let arguments = ["train", "job.toml", "--out", rows, "--device", "flex", "--set", &source];
        let flat = ["--set", "train.shuffle_rows=20000", "--set", "data.split={kind='random',valid=0.01,test=0.01}"];
        run_ok(folder.path(), &[&arguments[..], &flat].concat());
        peaks.push(json(&folder.path().join(rows).join("summary.json"))["peak_memory_bytes"].as_u64().unwrap() >> 20);
    }
    assert!(peaks[1] < peaks[0] + 60, "MiB: {peaks:?}");
}

#[test]
fn rows_without_an_outcome_are_scored_in_their_order_with_histories_of_their_own() {
    let folder = job(600, "din", "epochs = 1\nbatch_size = 128");
    let only = "data.history.only={column=\"clicked\",at_least=1}";
    run_ok(
        folder.path(),
        &[
            "train",
            "job.toml",
            "--out",
            "out",
            "--set",
            only,
            "--set",
            "data.sort_by=time",
            "--set",
            "model.din.embedding_std=0.5",
        ],
    );
    let rows = "user,item,tags,price,time\nu2,i1,t1,1.0,30\nu1,i2,t1,1.0,20\nu2,i1,t1,1.0,40\n";
    std::fs::write(folder.path().join("new.csv"), rows).unwrap();
    let outcome = run_ok(folder.path(), &["predict", "out", "--input", "new.csv", "--output", "scored.csv"]);
    assert!(outcome.err.contains("histories start empty") && outcome.err.contains("past"), "{}", outcome.err);
    let scored = std::fs::read_to_string(folder.path().join("scored.csv")).unwrap();
    let times: Vec<&str> = scored.lines().skip(1).map(|l| l.split(',').nth(4).unwrap()).collect();
    assert_eq!(times, ["30", "20", "40"]);
    // The same rows with outcomes: the third now has a past, the others have none.
    let rows = "user,item,tags,price,clicked,time\nu2,i1,t1,1.0,1,30\nu1,i2,t1,1.0,1,20\nu2,i1,t1,1.0,,40\n";
    std::fs::write(folder.path().join("known.csv"), rows).unwrap();
    run_ok(folder.path(), &["predict", "out", "--input", "known.csv", "--output", "known_scored.csv"]);
    let known = std::fs::read_to_string(folder.path().join("known_scored.csv")).unwrap();
    let last = |text: &str| text.lines().skip(1).map(|l| l.rsplit(',').next().unwrap().to_string()).collect::<Vec<_>>();
    let (without, with) = (last(&scored), last(&known));
    assert_eq!(without[..2], with[..2]);
    assert_ne!(without[2], with[2]);
}
