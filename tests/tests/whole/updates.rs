//! Jobs that learn from the windows that are new: their gate, their way back, their ledger.

use std::path::Path;
use std::time::Duration;

use burnrec_tests::{assert_same_weights, command, run, run_ok};

use crate::schedules::{folder, lines, log};

const GATED: &str = "start = \"2020-09-16\"\n[schedule.incremental]\nepochs = 5\n[schedule.gate]\nmargin = 0.02\n";

fn ledger(run: &Path) -> Vec<serde_json::Value> {
    lines(&run.join("ledger.jsonl"))
}

#[test]
fn a_job_learns_from_new_windows_alone_and_its_gate_refuses_what_a_poisoned_day_made() {
    let all = log(10, 1000, 0.0, &[6]);
    let first = |days: usize| -> String { all.lines().take(1 + days * 1000).map(|line| format!("{line}\n")).collect() };
    let folder = folder(&first(6), GATED);
    let path = folder.path().join("run");
    let update = ["update", "job.toml", "--out", "run"];
    let told = run_ok(folder.path(), &update);
    assert!(told.out.contains("completed: 4 phases"), "{}", told.out);
    // Nothing is new.
    assert!(run_ok(folder.path(), &update).out.contains("completed: 0 phases"));
    assert!(ledger(&path)[2]["gate"].is_object() && ledger(&path)[2]["gate"]["passes"] == true, "{:?}", ledger(&path));
    std::fs::write(folder.path().join("log.csv"), first(7)).unwrap();
    run_ok(folder.path(), &update);
    let manifest = || -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(path.join("checkpoints/manifest.json")).unwrap()).unwrap()
    };
    let published = manifest()["best"].clone();
    // The day behind the poisoned one tells: its model is refused, and the one of before goes on.
    std::fs::write(folder.path().join("log.csv"), first(8)).unwrap();
    let refused = run(folder.path(), &update);
    assert!(refused.code == Some(1) && refused.err.contains("the gate refused 1"), "{}", refused.err);
    assert_eq!(manifest()["best"], published);
    // The next one is as good as what is published: the poison is gone.
    std::fs::write(folder.path().join("log.csv"), &all).unwrap();
    run_ok(folder.path(), &update);
    let gates: Vec<bool> = ledger(&path).iter().filter_map(|entry| entry["gate"]["passes"].as_bool()).collect();
    assert_eq!(gates, [true, true, true, false, true, true]);
    assert_ne!(manifest()["best"], published);
    let page = std::fs::read_to_string({
        run_ok(folder.path(), &["report", "run"]);
        path.join("report.html")
    });
    let page = page.unwrap();
    for says in ["Window by window", "log-loss at the gate", "kept aside", "rows learned so far"] {
        assert!(page.contains(says), "the page does not say {says}");
    }
    // What was shown on the day of the refusal is what was published.
    let entry = ledger(&path).into_iter().find(|entry| entry["gate"]["passes"] == false).unwrap();
    assert_eq!(entry["judged"]["logloss"], entry["gate"]["published"]);
    // In one go it is the same.
    std::fs::write(folder.path().join("log.csv"), first(8)).unwrap();
    let once = run(folder.path(), &["update", "job.toml", "--out", "once"]);
    assert_eq!(once.code, Some(1), "{}", once.err);
    std::fs::write(folder.path().join("log.csv"), &all).unwrap();
    run_ok(folder.path(), &["update", "job.toml", "--out", "once"]);
    assert_same_weights(&path, &folder.path().join("once"));
    // Back to the model of before, as often as there is one.
    let now = manifest()["best"].clone();
    assert!(run_ok(folder.path(), &["rollback", "run"]).out.contains("again"));
    assert_ne!(manifest()["best"], now);
    run_ok(folder.path(), &["predict", "run", "--input", "log.csv", "--output", "p.csv"]);
    // What descends from the model that was gone back from is not published by the next update.
    let next = log(11, 1000, 0.0, &[6]);
    std::fs::write(folder.path().join("log.csv"), &next).unwrap();
    let refused = run(folder.path(), &update);
    assert!(refused.code == Some(1) && refused.err.contains("rolled back"), "{}", refused.err);
    run_ok(folder.path(), &["rollback", "run"]);
    let none = run(folder.path(), &["rollback", "run"]);
    assert!(none.code == Some(2) && none.err.contains("schedule.gate.keep"), "{}", none.err);
}

#[test]
fn rows_that_come_late_are_told_and_windows_may_leave_the_log() {
    let all = log(9, 300, 0.5, &[]);
    let rows: Vec<&str> = all.lines().collect();
    let text = |rows: &[&str]| format!("{}\n{}\n", "user,item,time,y", rows.join("\n"));
    let folder =
        folder(&text(&rows[1..1801]), "start = \"2020-09-16\"\n[schedule.incremental]\n[schedule.online]\nrows = 8\n");
    let update = ["update", "job.toml", "--out", "run", "--by", "incremental"];
    let several = run(folder.path(), &update[..4]);
    assert!(several.code == Some(2) && several.err.contains("--by"), "{}", several.err);
    run_ok(folder.path(), &update);
    let other = run(folder.path(), &["update", "job.toml", "--out", "run", "--by", "online"]);
    assert!(other.code == Some(2) && other.err.contains("goes by incremental"), "{}", other.err);
    // A row of the fifth day comes with the seventh: it is told, and left out.
    let late = rows[1400].replace('u', "late");
    std::fs::write(folder.path().join("log.csv"), text(&[&rows[1..2101], &[late.as_str()]].concat())).unwrap();
    let told = run_ok(folder.path(), &update);
    assert!(
        told.out.contains("completed: 1 phases") && told.err.contains("1 rows came after"),
        "{}{}",
        told.out,
        told.err
    );
    // Old days are thrown away; the job goes on.
    std::fs::write(folder.path().join("log.csv"), text(&rows[1801..])).unwrap();
    let told = run_ok(folder.path(), &update);
    assert!(told.out.contains("completed: 2 phases"), "{}", told.out);
    // As if nothing had been late or gone.
    std::fs::write(folder.path().join("log.csv"), &all).unwrap();
    run_ok(folder.path(), &["update", "job.toml", "--out", "whole", "--by", "incremental"]);
    assert_same_weights(&folder.path().join("run"), &folder.path().join("whole"));
}

#[test]
fn a_ledger_that_lost_lines_and_a_window_that_changed_half_way_are_refused() {
    let folder = folder(&log(8, 400, 1.0, &[]), "[schedule.incremental]\n");
    let job = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    std::fs::write(
        folder.path().join("job.toml"),
        job.replace("batch_size = 32", "batch_size = 4\ncheckpoint_every = 5"),
    )
    .unwrap();
    let update = ["update", "job.toml", "--out", "run"];
    run_ok(folder.path(), &update);
    let path = folder.path().join("run/ledger.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, whole.lines().take(2).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let refused = run(folder.path(), &update);
    assert!(refused.code == Some(2) && refused.err.contains("lacks the line of phase 2"), "{}", refused.err);
    std::fs::write(&path, &whole).unwrap();
    // A new day is stopped half-way, and gets a row before it is gone on with.
    let text = std::fs::read_to_string(folder.path().join("log.csv")).unwrap();
    let day = |extra: &str| {
        let rows: String = log(9, 400, 1.0, &[]).lines().skip(3201).map(|line| format!("{line}\n")).collect();
        std::fs::write(folder.path().join("log.csv"), format!("{text}{rows}{extra}")).unwrap();
        rows
    };
    let rows = day("");
    let mut stopped = false;
    for wait in [60, 90, 120, 150, 180, 220, 260, 300] {
        let mut child = command(folder.path(), &update).stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        stopped = std::fs::read_to_string(&path).unwrap() == whole && within(&folder.path().join("run"));
        if stopped {
            break;
        }
    }
    if stopped {
        day(&format!("{}\n", rows.lines().next().unwrap()));
        let refused = run(folder.path(), &update);
        assert!(refused.code == Some(2) && refused.err.contains("before it was stopped"), "{}", refused.err);
    }
    day("");
    run_ok(folder.path(), &update);
    let last = ledger(&folder.path().join("run")).pop().unwrap();
    assert_eq!((last["window"]["rows"].as_u64(), last["rows_learned"].as_u64()), (Some(400), Some(3 * 1600 + 5 * 400)));
}

/// Whether the latest checkpoint of a run stands within an epoch.
fn within(run: &Path) -> bool {
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(run.join("checkpoints/manifest.json")).unwrap()).unwrap();
    let state = run.join("checkpoints").join(manifest["latest"].as_str().unwrap()).join("state.toml");
    !std::fs::read_to_string(state).unwrap().contains("step_in_epoch = 0")
}
