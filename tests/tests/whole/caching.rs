//! `data.cache`: encoded rows in the place of the data, which change nothing but the time.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use burnrec_tests::{job, refused, run, run_ok};

const TRAIN: &str = "epochs = 3\nbatch_size = 128";

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join(".burnrec-cache")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// What a run came to, without times.
fn metrics(folder: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(folder.join("summary.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["metrics"].clone()
}

#[test]
fn rows_from_the_cache_are_those_of_the_data() {
    for model in ["deepfm", "din", "gbdt_lr"] {
        let folder = job(900, model, TRAIN);
        let train =
            |out: &str, cache: &str| run_ok(folder.path(), &["train", "job.toml", "--out", out, "--set", cache]).err;
        train("plain", "data.cache=false");
        assert!(files(folder.path()).is_empty());
        let told = train("first", "data.cache=true");
        assert!(told.contains("MiB of encoded rows"), "{told}");
        // The rows of each side, as they are learned from and measured.
        let written = files(folder.path());
        let fits = usize::from(model != "gbdt_lr");
        assert_eq!(written.len(), 3 + fits, "{written:?}");
        // A file that was written anew is another one.
        let numbers = || files(folder.path()).iter().map(|f| f.metadata().unwrap().ino()).collect::<Vec<_>>();
        let before = numbers();
        let told = train("second", "data.cache=true");
        assert!(!told.contains("MiB of encoded rows") && numbers() == before, "{told}");
        assert_eq!(told.contains("the encoder is that of"), fits == 1, "{told}");
        for out in ["first", "second"] {
            assert_eq!(metrics(&folder.path().join(out)), metrics(&folder.path().join("plain")), "{model}, {out}");
        }
        let dense = |out: &str| {
            let checkpoints = folder.path().join(out).join("checkpoints");
            let steps = std::fs::read_dir(&checkpoints).unwrap().flatten().map(|e| e.path()).filter(|p| p.is_dir());
            std::fs::read(steps.max().unwrap().join("dense.safetensors")).unwrap()
        };
        assert!(dense("plain") == dense("first") && dense("plain") == dense("second"), "{model}");
    }
}

#[test]
fn other_data_or_settings_are_other_files_and_damage_is_told() {
    let folder = job(600, "lr", TRAIN);
    let train = |out: &str, more: &[&str]| {
        run(folder.path(), &[&["train", "job.toml", "--out", out, "--set", "data.cache=true"][..], more].concat())
    };
    assert_eq!(train("a", &[]).code, Some(0));
    let first = files(folder.path());
    assert_eq!(train("b", &["--set", "train.learning_rate=0.5"]).code, Some(0));
    assert_eq!(files(folder.path()), first, "what is learned is no matter of the rows");
    assert_eq!(train("c", &["--set", "features.min_count=2"]).code, Some(0));
    assert_eq!(files(folder.path()).len(), 8);
    let log = folder.path().join("log.csv");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, text.replacen("u1,", "u2,", 1)).unwrap();
    assert_eq!(train("d", &[]).code, Some(0));
    assert_eq!(files(folder.path()).len(), 12);
    // A fit that is damaged is made again.
    for file in files(folder.path()).iter().filter(|f| f.extension().is_some_and(|e| e == "bin")) {
        let mut bytes = std::fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(file, bytes).unwrap();
    }
    let mended = train("mended", &[]);
    assert!(mended.code == Some(0) && !mended.err.contains("the encoder is that of"), "{}", mended.err);
    assert!(mended.err.contains("is damaged; it is made again"), "{}", mended.err);
    assert_eq!(metrics(&folder.path().join("mended")), metrics(&folder.path().join("d")));
    assert!(train("again", &[]).err.contains("the encoder is that of"));
    // A byte in the middle of the rows.
    for file in files(folder.path()).iter().filter(|f| f.to_string_lossy().contains("train")) {
        let mut bytes = std::fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        std::fs::write(file, bytes).unwrap();
    }
    let outcome = train("e", &[]);
    let told = outcome.code != Some(0) && outcome.err.contains(".burnrec-cache") && outcome.err.contains("was removed");
    assert!(told || outcome.code == Some(0) && metrics(&folder.path().join("e")) == metrics(&folder.path().join("d")));
    assert!(!outcome.err.contains("assumption"), "{}", outcome.err);
}

#[test]
fn it_goes_with_rows_alone() {
    let folder = job(600, "youtube_dnn", TRAIN);
    refused(folder.path(), &["--set", "data.cache=true"], &["data.cache", "features.items"]);
}

#[test]
fn side_tables_are_a_part_of_what_a_cache_is_of() {
    let folder = job(600, "lr", TRAIN);
    let config = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    let join = "[[data.join]]\nsource = \"side.csv\"\non = \"item\"\n\n[backend]";
    let config = config.replacen("[backend]", join, 1).replacen(
        "item = \"categorical\"",
        "item = \"categorical\"\nkind = \"categorical\"",
        1,
    );
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    let side = |by: usize| (0..200).map(|item| format!("i{item},k{}\n", item % (2 + by))).collect::<String>();
    let train = |out: &str, cache: &str| run_ok(folder.path(), &["train", "job.toml", "--out", out, "--set", cache]);
    for (by, name) in [(1, "first"), (3, "second")] {
        std::fs::write(folder.path().join("side.csv"), format!("item,kind\n{}", side(by))).unwrap();
        train(name, "data.cache=true");
        train(&format!("{name}-plain"), "data.cache=false");
        let of = |out: &str| metrics(&folder.path().join(out));
        assert_eq!(of(name), of(&format!("{name}-plain")));
    }
    assert_ne!(metrics(&folder.path().join("first")), metrics(&folder.path().join("second")));
}
