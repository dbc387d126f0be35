//! A model trained anew on training and validation, for the epochs that validation found best.

use burnrec_tests::{assert_same_weights, job, run, run_ok, summary};

const TRAIN: &str = "epochs = 12\nbatch_size = 64\npatience = 2\nsparse = { learning_rate = 0.02 }";
const BOTH: &str = "data.split={ kind = \"order\", valid = 0.2, test = 0.2 }";
const ALL: &str = "data.split={ kind = \"order\", valid = 0.0, test = 0.2 }";
const REFIT: &str = "train.refit=true";

#[test]
fn it_is_the_model_of_all_rows_but_the_test_at_the_best_epoch() {
    let folder = job(1000, "fm", TRAIN);
    let path = |name: &str| folder.path().join(name);
    let checked = run_ok(folder.path(), &["check", "job.toml", "--set", BOTH, "--set", REFIT]).out;
    assert!(checked.contains("refit"), "{checked}");
    run_ok(folder.path(), &["train", "job.toml", "--out", "out", "--set", BOTH, "--set", REFIT]);
    let (found, last) = (summary(&path("out/search")), summary(&path("out")));
    assert_eq!((found.rows["train"], found.rows["valid"], last.rows["train"]), (600, 200, 800));
    assert!(found.best_epoch < found.epochs, "the data should stop early: {} of {}", found.best_epoch, found.epochs);
    assert_eq!((last.epochs, last.rows["test"]), (found.best_epoch, 200));
    // By hand.
    let epochs = format!("train.epochs={}", found.best_epoch);
    run_ok(folder.path(), &["train", "job.toml", "--out", "hand", "--set", ALL, "--set", &epochs]);
    assert_same_weights(&path("out"), &path("hand"));
    assert_eq!(summary(&path("hand")).metrics["test"], last.metrics["test"]);
    // The run is measured by the rows that it has, and nothing of it is left to do.
    let told = run_ok(folder.path(), &["evaluate", "out"]);
    assert!(!told.err.contains("not those that were there"), "{}", told.err);
    let train = run_ok(folder.path(), &["evaluate", "out", "--split", "train"]);
    assert!(!train.err.contains("not those that were there"), "{}", train.err);
    let again = run(folder.path(), &["train", "job.toml", "--out", "out", "--set", BOTH, "--set", REFIT]);
    assert_eq!(again.code, Some(2), "{}", again.err);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out", "--resume", "--set", BOTH, "--set", REFIT]);
    assert_same_weights(&path("out"), &path("hand"));
}

#[test]
fn it_goes_on_behind_a_search_that_ended_and_needs_rows_that_validate() {
    let folder = job(1000, "fm", TRAIN);
    let path = |name: &str| folder.path().join(name);
    let arguments = ["train", "job.toml", "--out", "out", "--resume", "--set", BOTH, "--set", REFIT];
    run_ok(folder.path(), &arguments);
    // As if it had been stopped between the two.
    std::fs::create_dir(path("half")).unwrap();
    std::fs::rename(path("out/search"), path("half/search")).unwrap();
    let refused = run(folder.path(), &["train", "job.toml", "--out", "half", "--set", BOTH, "--set", REFIT]);
    assert!(refused.code == Some(2) && refused.err.contains("half/search"), "{}", refused.err);
    let half = ["train", "job.toml", "--out", "half", "--resume", "--set", BOTH, "--set", REFIT];
    let told = run_ok(folder.path(), &half).err;
    assert!(told.contains("refit: ") && !told.contains("epoch 12"), "{told}");
    assert_same_weights(&path("out"), &path("half"));
    // The search is a run that knows its own sides; the run learned from those that validated.
    let told = run_ok(folder.path(), &["evaluate", "half/search", "--split", "valid"]);
    assert!(!told.err.contains("not those that were there"), "{}", told.err);
    let refused = run(folder.path(), &["evaluate", "half", "--split", "valid"]);
    assert!(refused.code == Some(2) && refused.err.contains("half/search"), "{}", refused.err);
    let none = run(folder.path(), &["train", "job.toml", "--out", "none", "--set", ALL, "--set", REFIT]);
    assert!(none.code == Some(2) && none.err.contains("train.refit") && !path("none").exists(), "{}", none.err);
}

#[test]
fn a_search_is_gone_on_with_only_over_its_own_rows_and_answers_nothing_by_itself() {
    let folder = job(1000, "fm", TRAIN);
    let path = |name: &str| folder.path().join(name);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out", "--set", BOTH, "--set", REFIT]);
    let half = ["train", "job.toml", "--out", "half", "--resume", "--set", BOTH, "--set", REFIT];
    std::fs::create_dir(path("half")).unwrap();
    std::fs::rename(path("out/search"), path("half/search")).unwrap();
    let refused = run(folder.path(), &["predict", "half", "--input", "log.csv", "--output", "p.csv"]);
    assert!(refused.code == Some(2) && refused.err.contains("search for the best epoch"), "{}", refused.err);
    // An epoch that no run had.
    let file = path("half/search/summary.json");
    let good = std::fs::read_to_string(&file).unwrap();
    let best = format!("\"best_epoch\": {}", summary(&path("half/search")).best_epoch);
    std::fs::write(&file, good.replace(&best, "\"best_epoch\": 3000000")).unwrap();
    let refused = run(folder.path(), &half);
    assert!(refused.code != Some(0) && refused.err.contains("3000000"), "{}", refused.err);
    std::fs::write(&file, good).unwrap();
    let log = std::fs::read_to_string(path("log.csv")).unwrap();
    let fewer: String = log.lines().take(801).map(|line| format!("{line}\n")).collect();
    std::fs::write(path("log.csv"), fewer).unwrap();
    let refused = run(folder.path(), &half);
    assert!(refused.code == Some(2) && refused.err.contains("search"), "{}", refused.err);
    assert!(!path("half/config.toml").exists());
    let plateau = "train.schedule={ kind = \"plateau\", decay = 0.5, patience = 1 }";
    let refused = run(folder.path(), &["train", "job.toml", "--set", BOTH, "--set", REFIT, "--set", plateau]);
    assert!(refused.code == Some(2) && refused.err.contains("plateau"), "{}", refused.err);
}
