//! Trying settings out: whole, killed and resumed, with trials that fail.

use std::path::Path;
use std::time::Instant;

use burnrec_tests::{ended_at_random, job, run, run_ok};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

fn swept(model: &str, sweep: &str) -> tempfile::TempDir {
    let folder = job(3000, model, "epochs = 2\nbatch_size = 128\npatience = 0");
    let path = folder.path().join("job.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n[sweep]\n{sweep}")).unwrap();
    folder
}

/// The runs of a ledger, without how long they took.
fn ledger(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("sweep.jsonl")).unwrap();
    let timeless = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line["seconds"] = Value::Null;
        line
    };
    text.lines().skip(1).map(timeless).collect()
}

const SPACE: &str = "[sweep.space]\n\"train.learning_rate\" = { low = 1e-4, high = 1e-1, log = true }\n\
                     \"model.deepfm.embedding_dim\" = { values = [4, 8] }\n";

#[test]
fn killed_at_any_moment_and_resumed_it_tries_the_same_and_nothing_twice() {
    let folder = swept("deepfm", &format!("method = \"tpe\"\ntrials = 8\nfirst = 4\n{SPACE}"));
    let begun = Instant::now();
    run_ok(folder.path(), &["sweep", "job.toml", "--out", "whole"]);
    let whole = begun.elapsed().as_secs_f64();
    // A key of the space holds points, and stands in quotes.
    let set = "sweep.space.\"model.deepfm.embedding_dim\"={ values = [2] }";
    let checked = run(folder.path(), &["check", "job.toml", "--set", set, "--set", "sweep.method=random"]);
    assert!(checked.code == Some(2) && checked.err.contains("first"), "{}", checked.err);
    run_ok(folder.path(), &["check", "job.toml", "--set", set]);
    let refused = run(folder.path(), &["sweep", "job.toml", "--out", "whole"]);
    assert!(refused.code == Some(2) && refused.err.contains("--resume"), "{}", refused.err);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for signal in ["KILL", "TERM"] {
        let out = format!("by-{signal}");
        let times =
            ended_at_random(folder.path(), &["sweep", "job.toml", "--out", &out, "--resume"], signal, whole, &mut rng);
        assert!(times > 0, "it was never ended by {signal}");
        assert_eq!(ledger(&folder.path().join("whole")), ledger(&folder.path().join(&out)));
        assert_eq!(ledger(&folder.path().join(&out)).len(), 8);
    }
    // Nothing is left to do: going on is at once done.
    run_ok(folder.path(), &["sweep", "job.toml", "--out", "whole", "--resume"]);
    assert_eq!(ledger(&folder.path().join("whole")).len(), 8);
    let other = run(folder.path(), &["sweep", "job.toml", "--out", "whole", "--resume", "--set", "train.epochs=3"]);
    assert!(other.code == Some(2) && other.err.contains("another experiment"), "{}", other.err);
}

#[test]
fn a_grid_over_models_has_repeats_a_front_and_rows_of_what_failed() {
    let sweep = "method = \"grid\"\nrepeats = 2\nshow = [\"test.logloss\"]\npareto = [\"valid.auc\", \"valid.logloss\"]\n\
                 [sweep.space]\n\"model\" = { values = [{ lr = {} }, { deepfm = { embedding_dim = 4 } }, { wide_deep = { hidden = [8] } }] }\n\
                 \"train.learning_rate\" = { values = [0.01, -1.0] }\n";
    let folder = swept("deepfm", sweep);
    let out = run_ok(folder.path(), &["sweep", "job.toml", "--out", "out"]);
    let table: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("out/sweep.json")).unwrap()).unwrap();
    let rows = table["trials"].as_array().unwrap();
    assert_eq!(rows.len(), 6);
    // A rate below 0 is nobody's.
    for row in rows {
        let failed = row["settings"]["train.learning_rate"] == -1.0;
        assert_eq!(row["value"].is_null(), failed, "{row}");
        assert_eq!(row["reason"].as_str().is_some_and(|r| r.contains("learning_rate")), failed, "{row}");
        assert!(failed || row["value"]["plus_minus"].as_f64().unwrap() >= 0.0);
        assert!(failed || row["metrics"]["test.logloss"]["mean"].as_f64().unwrap() > 0.0);
    }
    let on: Vec<bool> = rows.iter().map(|row| row["front"] == true).collect();
    assert!(on.iter().any(|on| *on) && !on[3] && !on[4] && !on[5], "{on:?}");
    assert!(out.out.contains("Pareto") && out.out.contains("±") && out.out.contains("best: trial"), "{}", out.out);
}

/// One task alone, the other alone, both: each metric is compared with that of its own task alone, and a task that a trial does not
/// have has no figure there.
#[test]
fn cases_change_several_settings_and_are_compared_seed_by_seed() {
    let tasks = "set.tasks.click = { label = \"clicked\" }\n";
    let other = "set.tasks.dear = { label = { column = \"price\", threshold = 5.0 } }\n";
    let case = |name: &str, set: &str| {
        format!("[[sweep.space.of.cases]]\nname = \"{name}\"\nset.model.shared_bottom = {{ bottom = [8] }}\n{set}")
    };
    let sweep = format!(
        "method = \"grid\"\nrepeats = 2\nshow = [\"test.click.auc\", \"test.dear.auc\"]\nagainst = [\"click\", \"dear\"]\n{}{}{}",
        case("click", tasks),
        case("dear", other),
        case("both", &format!("{tasks}{other}"))
    );
    let folder = swept("deepfm", &sweep);
    let fields = "features.fields={ user = \"categorical\", item = \"categorical\" }";
    let out = run_ok(folder.path(), &["sweep", "job.toml", "--out", "out", "--set", fields]);
    assert!(out.out.contains("Δ test.click.auc") && out.out.contains("click or dear"), "{}", out.out);
    let table: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("out/sweep.json")).unwrap()).unwrap();
    let row =
        |name: &str| table["trials"].as_array().unwrap().iter().find(|row| row["settings"]["of"] == name).unwrap();
    let (click, dear, both) = (row("click"), row("dear"), row("both"));
    assert!(click["metrics"]["test.dear.auc"].is_null() && dear["metrics"]["test.click.auc"].is_null(), "{table}");
    for (alone, name) in [(click, "test.click.auc"), (dear, "test.dear.auc")] {
        let mean = |row: &Value| row["metrics"][name]["mean"].as_f64().unwrap();
        let by = both["differences"][name]["mean"].as_f64().unwrap();
        assert!((by - (mean(both) - mean(alone))).abs() < 1e-12);
        assert!(both["differences"][name]["plus_minus"].as_f64().is_some() && alone["differences"][name].is_null());
    }
}

/// A rate that diverges is a row with its reason; it is on no front.
#[test]
fn a_trial_that_diverges_does_not_end_the_sweep() {
    let sweep = "method = \"grid\"\npareto = [\"valid.auc\", \"valid.logloss\"]\n\
                 [sweep.space]\n\"train.learning_rate\" = { values = [1e30, 0.01, 0.01] }\n";
    let folder = swept("mlp", sweep);
    run_ok(folder.path(), &["sweep", "job.toml", "--out", "out", "--set", "train.optimizer={kind=\"sgd\"}"]);
    let runs = ledger(&folder.path().join("out"));
    assert!(runs[0]["reason"].as_str().is_some_and(|reason| reason.contains("loss")), "{}", runs[0]);
    assert!(runs[1]["value"].is_f64() && runs[1]["value"] == runs[2]["value"]);
    // Two values of one setting are two points; `check` says how many there are.
    let checked = run_ok(folder.path(), &["check", "job.toml"]);
    assert!(checked.out.contains("grid, 3 trials of train.learning_rate, 3 runs"), "{}", checked.out);
    let table: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("out/sweep.json")).unwrap()).unwrap();
    let rows = table["trials"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["front"] == row["value"].is_object()), "{table}");
}

/// Tpe over a few values comes back to them: what was trained is not trained again.
#[test]
fn a_point_is_trained_once() {
    let folder = swept("lr", "method = \"tpe\"\ntrials = 6\n[sweep.space]\n\"train.l2\" = { values = [0.0, 1e-3] }\n");
    run_ok(folder.path(), &["sweep", "job.toml", "--out", "out"]);
    let runs = ledger(&folder.path().join("out"));
    let folders = std::fs::read_dir(folder.path().join("out/trials")).unwrap().count();
    assert!(runs.len() == 6 && folders == 2, "{folders}");
    for own in &runs {
        let first = runs.iter().find(|run| run["at"] == own["at"]).unwrap();
        assert!(first["value"] == own["value"] && first["run"] == own["run"]);
    }
}

#[test]
fn a_sweep_does_not_go_on_over_other_rows() {
    let folder = swept("lr", "method = \"grid\"\n[sweep.space]\n\"train.l2\" = { values = [0.0, 1e-3] }\n");
    run_ok(folder.path(), &["sweep", "job.toml", "--out", "out"]);
    let path = folder.path().join("out/sweep.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(&path, format!("{}\n{}\n", lines[0], lines[1])).unwrap();
    std::fs::write(folder.path().join("log.csv"), burnrec_tests::click_log(2000, 8)).unwrap();
    let outcome = run(folder.path(), &["sweep", "job.toml", "--out", "out", "--resume"]);
    assert!(outcome.code == Some(2) && outcome.err.contains("not those that were there"), "{}", outcome.err);
}

#[test]
fn halving_gives_few_the_epochs_of_all() {
    let folder = swept("deepfm", &format!("method = \"halving\"\ntrials = 4\nfactor = 2\n{SPACE}"));
    run_ok(folder.path(), &["sweep", "job.toml", "--out", "out", "--set", "train.epochs=4"]);
    let runs = ledger(&folder.path().join("out"));
    let at = |rung: u64| runs.iter().filter(|run| run["rung"] == rung).count();
    assert_eq!((at(0), at(1), at(2)), (4, 2, 1));
    let epochs = |run: &Value| {
        let path = folder.path().join("out").join(run["run"].as_str().unwrap());
        burnrec_tests::summary(&path).epochs
    };
    assert_eq!((epochs(&runs[0]), epochs(&runs[6])), (1, 4));
}

#[test]
fn spaces_that_cannot_be_tried_are_refused_with_their_place() {
    for (sweep, says) in [
        ("method = \"grid\"\n[sweep.space]\n\"train.learning_rate\" = { low = 0.1, high = 1.0 }", "grid"),
        ("[sweep.space]\n\"train.learning_rate\" = { low = 0.0, high = 1.0, log = true }", "above 0"),
        ("[sweep.space]\n\"train.learning_rate\" = { low = 2.0, high = 1.0 }", "low below high"),
        ("[sweep.space]\n\"train.learning_rate\" = { values = [] }", "no values"),
        ("[sweep.space]", "empty"),
        ("trials = 0\n[sweep.space]\n\"train.learning_rate\" = { values = [1] }", "trials"),
        ("repeats = 2\n[sweep.space]\n\"run.seed\" = { values = [1] }", "run.seed"),
        ("show = [\"auc\"]\n[sweep.space]\n\"train.l2\" = { values = [1.0] }", "test.auc"),
        ("method = \"halving\"\n[sweep.space]\n\"train.l2\" = { values = [1.0] }", "factor"),
        ("[sweep.space]\n\"train.learnin_rate\" = { values = [1.0] }", "learnin_rate"),
        ("[sweep.space]\n\"train.batch_size\" = { low = 0.6, high = 9.0, integer = true }", "whole"),
        ("[sweep.space]\n\"backend.device\" = { values = [\"cuda\"] }", "backend.device"),
        ("show = [\"test.mse\"]\n[sweep.space]\n\"train.l2\" = { values = [1.0] }", "not measured"),
        ("fresh_data = true\nrepeats = 2\n[sweep.space]\n\"train.l2\" = { values = [1.0] }", "fresh_data"),
        ("method = \"random\"\nfirst = 3\n[sweep.space]\n\"train.l2\" = { values = [1.0] }", "tpe"),
        ("method = \"random\"\ntrials = 200000\n[sweep.space]\n\"train.l2\" = { values = [1.0] }", "sweep.trials"),
        (
            "[sweep.space]\n\"train.l2\" = { values = [1.0] }\n[[sweep.space.a.cases]]\nname = \"x\"\nset = { \"train.l2\" = 0.1 }",
            "keep one",
        ),
        ("show = [\"test.nope.auc\"]\n[sweep.space]\n\"tasks.clicked.weight\" = { values = [1.0] }", "test.nope.auc"),
        ("[sweep.space]\n\"train.l2\" = { values = [1.0], low = 2.0 }", "without keys of another"),
        ("against = [\"x\"]\n[sweep.space]\n\"train.l2\" = { values = [1.0] }", "names `x`"),
        ("[[sweep.space.a.cases]]\nname = \"x\"\nset = {}", "sets nothing"),
        ("[[sweep.space.a.cases]]\nname = \"x\"\nset = { \"run.out\" = \"y\" }", "run.out"),
        ("[[sweep.space.a.cases]]\nname = \"x\"\nset = { \"train.l3\" = 1.0 }", "l3"),
        ("[[sweep.space.a.cases]]\nname = \"x\"\nset.train.l2 = 1.0", "name settings"),
        ("method = \"best\"\n[sweep.space]\n\"train.l2\" = { values = [1.0] }", "job.toml:"),
    ] {
        let folder = swept("deepfm", sweep);
        let outcome = run(folder.path(), &["sweep", "job.toml", "--out", "out"]);
        assert_eq!(outcome.code, Some(2), "{sweep}\n{}", outcome.err);
        assert!(outcome.err.contains(says), "no `{says}` in: {}", outcome.err);
        assert!(!folder.path().join("out").exists());
    }
    let folder = job(200, "deepfm", "epochs = 1");
    let outcome = run(folder.path(), &["sweep", "job.toml", "--out", "out"]);
    assert!(outcome.code == Some(2) && outcome.err.contains("[sweep]"), "{}", outcome.err);
}

#[test]
fn seeds_may_be_tried_and_a_ledger_is_checked_before_it_is_believed() {
    let folder = swept("lr", "method = \"grid\"\n[sweep.space]\n\"run.seed\" = { values = [11, 22] }\n");
    run_ok(folder.path(), &["sweep", "job.toml", "--out", "out"]);
    for (trial, seed) in [(1, 11), (2, 22)] {
        let text = std::fs::read_to_string(folder.path().join(format!("out/trials/{trial:04}-1/config.toml"))).unwrap();
        assert!(text.contains(&format!("seed = {seed}")), "{text}");
    }
    let path = folder.path().join("out/sweep.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let first = whole.lines().nth(1).unwrap();
    for (damaged, says) in [
        (whole.replace("\"at\":[0.0]", "\"at\":[99.0]"), "no point"),
        (whole.replace("\"at\":[0.0]", "\"at\":[]"), "no point"),
        (whole.replace("\"trial\":2", "\"trial\":7"), "no trial"),
        (format!("{whole}{first}\n"), "twice"),
        (format!("{whole}{{}}\n"), "damaged"),
    ] {
        std::fs::write(&path, &damaged).unwrap();
        let outcome = run(folder.path(), &["sweep", "job.toml", "--out", "out", "--resume"]);
        assert_eq!(outcome.code, Some(2), "{}", outcome.err);
        assert!(outcome.err.contains("damaged") && outcome.err.contains(says), "no `{says}` in: {}", outcome.err);
    }
}
