//! What may change between a run and its resumption, and what may not.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use burnrec_tests::{assert_same_weights, command, job, run, run_ok, skipped};

/// Trains once whole, and once stopped by a signal and resumed.
fn stopped_and_resumed(folder: &Path, settings: &[&str]) {
    let train = |out: &str, more: &[&str]| {
        [&["train", "job.toml", "--out", out], settings, more]
            .concat()
            .iter()
            .map(|s| s.to_string())
            .collect::<Vec<_>>()
    };
    let whole = train("whole", &[]);
    run_ok(folder, &whole.iter().map(String::as_str).collect::<Vec<_>>());
    let stopped = train("stopped", &[]);
    let mut child = command(folder, &stopped.iter().map(String::as_str).collect::<Vec<_>>())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !folder.join("stopped/metrics.jsonl").metadata().is_ok_and(|m| m.len() > 200) {
        std::thread::sleep(Duration::from_millis(1));
        assert!(child.try_wait().unwrap().is_none(), "ended before it could be stopped");
    }
    let signal = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(signal.success() && child.wait().unwrap().success());
    let resumed = train("stopped", &["--resume"]);
    run_ok(folder, &resumed.iter().map(String::as_str).collect::<Vec<_>>());
    assert_same_weights(&folder.join("whole"), &folder.join("stopped"));
}

#[test]
fn weights_of_tasks_that_are_learned_survive_a_stop_to_the_bit() {
    for mixer in [
        "{kind=\"uncertainty\"}",
        "{kind=\"dwa\"}",
        "{kind=\"gradnorm\",first_steps=20}",
        "{kind=\"pe_ltr\"}",
        "{kind=\"pcgrad\"}",
    ] {
        let folder = job(5000, "mmoe", LONG);
        let path = folder.path().join("job.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(
            &path,
            text.replace(
                "[model.mmoe]",
                "[tasks.dear]\nlabel = { column = \"time\", threshold = 151000 }\n\n[model.mmoe]",
            ),
        )
        .unwrap();

        stopped_and_resumed(
            folder.path(),
            &["--set", &format!("train.mixer={mixer}"), "--set", "model.mmoe={expert=[16],tower=[8]}"],
        );
        let events = std::fs::read_to_string(folder.path().join("whole/metrics.jsonl")).unwrap();
        assert_eq!(events.contains("\"weights\""), !mixer.contains("pcgrad"), "{mixer}");
        assert!(events.contains("\"gate 1\"") && events.contains("entropy"));
    }
}

const LONG: &str = "epochs = 5\nbatch_size = 32\npatience = 0\nlog_every = 10\ncheckpoint_every = 35";

#[test]
fn batch_norm_dropout_clipping_and_a_plateau_schedule_survive_a_stop_to_the_bit() {
    let folder = job(5000, "wide_deep", LONG);
    let settings = [
        "--threads",
        "2",
        "--set",
        "model.wide_deep.batch_norm=true",
        "--set",
        "model.wide_deep.dropout=0.2",
        "--set",
        "train.clip_norm=0.5",
        "--set",
        "train.schedule={kind=\"plateau\",decay=0.5,patience=1}",
    ];
    stopped_and_resumed(folder.path(), &settings);
    let again = [&["train", "job.toml", "--out", "again"][..], &settings].concat();
    run_ok(folder.path(), &again);
    assert_same_weights(&folder.path().join("whole"), &folder.path().join("again"));
}

#[test]
fn what_started_from_other_runs_goes_on_as_if_it_had_never_stopped() {
    let folder = job(5000, "neumf", LONG);
    let short = ["--set", "train.epochs=1", "--set", "model.neumf.dropout=0"];
    run_ok(
        folder.path(),
        &[&["train", "job.toml", "--out", "gmf", "--set", "model.neumf.part=gmf"][..], &short].concat(),
    );
    let mlp = ["train", "job.toml", "--out", "mlp", "--set", "model.neumf.part=mlp", "--set", "train.epochs=1"];
    run_ok(folder.path(), &[&mlp[..], &["--set", "model.neumf.dropout=0.6"]].concat());
    stopped_and_resumed(folder.path(), &["--set", "model.neumf.pretrained={gmf=\"gmf\",mlp=\"mlp\"}"]);
    // Its own dropout, which is none, and not that of the run that it started from.
    let evaluated = run_ok(folder.path(), &["evaluate", "whole", "--json"]).out;
    assert_eq!(evaluated, run_ok(folder.path(), &["evaluate", "stopped", "--json"]).out);
}

#[test]
fn tables_on_a_device_survive_a_stop_to_the_bit() {
    if burnrec_backend::open(burnrec_backend::DeviceName::Wgpu).is_err() {
        return skipped("no wgpu adapter answers; resuming with tables on a device was not tested");
    }
    let folder =
        job(1500, "wide_deep", "epochs = 3\nbatch_size = 64\npatience = 0\nlog_every = 5\ncheckpoint_every = 7");
    let settings = ["--device", "wgpu", "--set", "backend.placement=device", "--set", "model.wide_deep.hidden=[16]"];
    stopped_and_resumed(folder.path(), &settings);
    let summary = std::fs::read_to_string(folder.path().join("whole/summary.json")).unwrap();
    assert!(summary.contains("\"placement\": \"device\""), "{summary}");
}

#[test]
fn a_lost_manifest_is_refused_and_the_checkpoints_stay() {
    let folder = job(600, "lr", "epochs = 2\nbatch_size = 64");
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    let checkpoints = folder.path().join("out/checkpoints");
    std::fs::remove_file(checkpoints.join("manifest.json")).unwrap();
    let before = std::fs::read_dir(&checkpoints).unwrap().count();
    let outcome = run(folder.path(), &["train", "job.toml", "--out", "out", "--resume"]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.err);
    assert!(outcome.err.contains("manifest.json") && outcome.err.contains("missing"), "{}", outcome.err);
    assert_eq!(std::fs::read_dir(&checkpoints).unwrap().count(), before);
}

#[test]
fn other_ids_in_the_same_places_are_other_data() {
    let folder = job(600, "lr", "epochs = 2\nbatch_size = 64");
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    let log = folder.path().join("log.csv");
    let text = std::fs::read_to_string(&log).unwrap().replace("\nu", "\nv");
    std::fs::write(&log, text).unwrap();
    let outcome = run(folder.path(), &["train", "job.toml", "--out", "out", "--resume"]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.err);
    assert!(outcome.err.contains("its ids are others"), "{}", outcome.err);
}

#[test]
fn another_configuration_is_named_and_another_place_to_compute_is_no_other_configuration() {
    let folder = job(600, "wide_deep", "epochs = 1\nbatch_size = 64");
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    let resume =
        |more: &[&str]| run(folder.path(), &[&["train", "job.toml", "--out", "out", "--resume"], more].concat());
    let other = resume(&["--set", "model.wide_deep.hidden=[8]"]);
    assert_eq!(other.code, Some(2), "{}", other.err);
    assert!(other.err.contains("another configuration") && other.err.contains("hidden"), "{}", other.err);
    assert_eq!(resume(&["--threads", "1"]).code, Some(0));
}

#[test]
fn shared_tables_beside_a_modulo_field_come_back_as_they_were() {
    let folder = job(2000, "mlp", "epochs = 3\nbatch_size = 64\npatience = 0");
    let config = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    let fields = "user = { kind = \"categorical\", table = \"m\" }\nitem = { kind = \"categorical\", table = \"m\" }\n\
                  price2 = { kind = \"categorical\", column = \"price\", index = \"modulo\", buckets = 50 }";
    let config = config.replace("user = \"categorical\"\nitem = \"categorical\"", fields);
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    let summary: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("out/summary.json")).unwrap()).unwrap();
    let outcome = run_ok(folder.path(), &["evaluate", "out"]);
    let auc = summary["metrics"]["test"]["auc"].as_f64().unwrap();
    assert!(outcome.out.contains(&format!("{auc:.4}")), "{auc}: {}", outcome.out);
}

#[test]
fn a_manifest_never_names_what_is_outside_its_folder() {
    let folder = job(600, "lr", "epochs = 2\nbatch_size = 64");
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    let mine = folder.path().join("mine");
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("thesis.txt"), "x").unwrap();
    let path = folder.path().join("out/checkpoints/manifest.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    let absolute = mine.to_str().unwrap();
    for name in ["../../mine", absolute, "step-1-epoch-1/../../../mine"] {
        let mut manifest: serde_json::Value = serde_json::from_str(&whole).unwrap();
        manifest["files"][name] = serde_json::json!({});
        std::fs::write(&path, manifest.to_string()).unwrap();
        for arguments in [&["train", "job.toml", "--out", "out", "--resume"][..], &["evaluate", "out"]] {
            let outcome = run(folder.path(), arguments);
            assert_eq!(outcome.code, Some(2), "{}", outcome.err);
            assert!(
                outcome.err.contains("manifest.json") && outcome.err.contains("none of burnrec's names"),
                "{}",
                outcome.err
            );
        }
        assert!(mine.join("thesis.txt").is_file(), "{name}");
    }
    let mut manifest: serde_json::Value = serde_json::from_str(&whole).unwrap();
    let latest = manifest["latest"].as_str().unwrap().to_string();
    manifest["files"][&latest]["../../../mine/thesis.txt"] = serde_json::json!([1, "00"]);
    std::fs::write(&path, manifest.to_string()).unwrap();
    assert_eq!(run(folder.path(), &["evaluate", "out"]).code, Some(2));
    manifest["files"] = serde_json::from_str::<serde_json::Value>(&whole).unwrap()["files"].clone();
    manifest["best"] = "../../mine".into();
    std::fs::write(&path, manifest.to_string()).unwrap();
    assert_eq!(run(folder.path(), &["evaluate", "out"]).code, Some(2));
}
