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
    let none = run(folder.path(), &["train", "job.toml", "--out", "none", "--set", ALL, "--set", REFIT]);
    assert!(none.code == Some(2) && none.err.contains("train.refit") && !path("none").exists(), "{}", none.err);
}
